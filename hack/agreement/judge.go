package main

import (
	"encoding/json"
	"fmt"

	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	corev1 "k8s.io/api/core/v1"
)

// The wire format of hack/kubecurrent/judge, as far as it is needed here: that module
// holds all of Kubernetes.
type request struct {
	Cluster    *clusterRequest `json:"cluster,omitempty"`
	Pods       []podRequest    `json:"pods,omitempty"`
	ReturnPods bool            `json:"returnPods,omitempty"`
}

type clusterRequest struct {
	Objects string `json:"objects"`
}

type podRequest struct {
	Object      json.RawMessage `json:"object"`
	Subresource string          `json:"subresource,omitempty"`
	User        *user           `json:"user,omitempty"`
}

type user struct {
	Username string   `json:"username"`
	Groups   []string `json:"groups,omitempty"`
}

type answer struct {
	Error   string `json:"error"`
	Objects []struct {
		Kind, Name, Refused string
	} `json:"objects"`
	Pods []verdict `json:"pods"`
}

type verdict struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Denials []struct {
		Message string `json:"message"`
	} `json:"denials"`
	Errors []struct {
		Message string `json:"message"`
	} `json:"errors"`
	Warnings         []string          `json:"warnings"`
	AuditAnnotations map[string]string `json:"auditAnnotations"`
	Costs            map[string]struct {
		Total uint64 `json:"total"`
	} `json:"costs"`
	Pod *corev1.Pod `json:"pod"`
}

// action returns the strongest thing that the server does about the pod; empty is nothing.
func (v verdict) action() cel.Enforcement {
	switch _, audited := v.AuditAnnotations["validation.policy.admission.k8s.io/validation_failure"]; {
	case v.Outcome == "denied":
		return cel.Deny
	case len(v.Warnings) > 0:
		return cel.Warn
	case audited:
		return cel.Audit
	default:
		return ""
	}
}

// server is the judge of Kubernetes.
type server struct{ *judge.Process }

// ask returns the answer, or an error if there is none, or if the server refuses an
// object of the cluster.
func (s server) ask(r request) (answer, error) {
	var a answer
	if err := s.Ask(r, &a); err != nil {
		return a, fmt.Errorf("judging: %w", err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("judging: %s", a.Error)
	}
	for _, o := range a.Objects {
		if o.Refused != "" {
			return a, fmt.Errorf("the server refuses %s %s: %s", o.Kind, o.Name, o.Refused)
		}
	}
	return a, nil
}
