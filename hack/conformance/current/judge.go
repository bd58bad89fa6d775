package main

import (
	"encoding/json"
	"fmt"

	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	corev1 "k8s.io/api/core/v1"
)

// The wire format of hack/kubecurrent/judge, as far as it is needed; see there.
type (
	request struct {
		Name       string       `json:"name,omitempty"`
		Cluster    *cluster     `json:"cluster,omitempty"`
		Pods       []podRequest `json:"pods,omitempty"`
		ReturnPods bool         `json:"returnPods,omitempty"`
	}
	cluster struct {
		Objects      string    `json:"objects"`
		Unstructured bool      `json:"unstructured,omitempty"`
		Evaluate     *evaluate `json:"evaluate,omitempty"`
	}
	evaluate struct {
		Variables []variable `json:"variables,omitempty"`
		Values    []string   `json:"values"`
	}
	variable struct {
		Name       string `json:"name"`
		Expression string `json:"expression"`
	}
	podRequest struct {
		ID          string          `json:"id,omitempty"`
		Namespace   string          `json:"namespace,omitempty"`
		Object      json.RawMessage `json:"object"`
		Subresource string          `json:"subresource,omitempty"`
		Update      bool            `json:"update,omitempty"`
		OldObject   json.RawMessage `json:"oldObject,omitempty"`
		User        *user           `json:"user,omitempty"`
	}
	user struct {
		Username string   `json:"username"`
		Groups   []string `json:"groups,omitempty"`
	}
	answer struct {
		Error   string          `json:"error"`
		Objects []objectVerdict `json:"objects"`
		Pods    []verdict       `json:"pods"`
	}
	objectVerdict struct {
		Kind     string   `json:"kind"`
		Name     string   `json:"name"`
		Refused  string   `json:"refused"`
		Warnings []string `json:"warnings"`
		Newer    []string `json:"newer"`
	}
	verdict struct {
		ID      string `json:"id"`
		Outcome string `json:"outcome"`
		Reason  string `json:"reason"`
		Message string `json:"message"`
		Denials []struct {
			Message      string `json:"message"`
			MessageError string `json:"messageError"`
		} `json:"denials"`
		Errors []struct {
			Message      string `json:"message"`
			CostExceeded bool   `json:"costExceeded"`
		} `json:"errors"`
		Costs map[string]struct {
			Total      uint64 `json:"total"`
			Worst      uint64 `json:"worst"`
			Expression string `json:"expression"`
		} `json:"costs"`
		Values     map[string]value `json:"values"`
		ValuesCost uint64           `json:"valuesCost"`
		Pod        *corev1.Pod      `json:"pod"`
	}
	value struct {
		JSON  json.RawMessage `json:"json"`
		Error string          `json:"error"`
	}
)

// The outcomes of a pod.
const (
	admitted = "admitted"
	denied   = "denied"
	refused  = "refused"
)

// ask has a request judged. It is an error if the cluster is not as was meant: the
// server refuses or warns about one of its objects, or a policy needs CEL that is newer
// than the oldest server that has such policies.
func ask(p *judge.Process, r request) ([]verdict, error) {
	var a answer
	if err := p.Ask(r, &a); err != nil {
		return nil, fmt.Errorf("judging %s: %w", r.Name, err)
	}
	for _, o := range a.Objects {
		if o.Refused != "" || len(o.Warnings)+len(o.Newer) > 0 {
			return nil, &badObject{fmt.Sprintf("%s %s: refused: %q, warnings: %q, newer CEL: %q", o.Kind, o.Name, o.Refused, o.Warnings, o.Newer)}
		}
	}
	if a.Error != "" {
		return nil, fmt.Errorf("judging %s: %s", r.Name, a.Error)
	}
	return a.Pods, nil
}

// badObject is a fault of what the advisor generates.
type badObject struct{ text string }

func (b *badObject) Error() string { return b.text }
