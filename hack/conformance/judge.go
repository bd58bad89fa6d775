package main

import (
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
)

// request and verdict are the wire format of hack/kube124/judge, whose module
// cannot be imported beside a current k8s.io/api.
type request struct {
	Name        string              `json:"name"`
	Objects     string              `json:"objects"`
	Policies    string              `json:"policies"`
	Members     map[string][]string `json:"members"`
	SkipInvalid bool                `json:"skipInvalid"`
}

type verdict struct {
	OK           bool            `json:"ok"`
	Error        string          `json:"error"`
	Counts       map[string]int  `json:"counts"`
	Judged       int             `json:"judged"`
	SlackTotal   int             `json:"slackTotal"`
	InvalidTotal int             `json:"invalidTotal"`
	Pods         []podVerdict    `json:"pods"`
	Policies     []policyVerdict `json:"policies"`
	Skipped      []string        `json:"skipped"`
}

type podVerdict struct {
	Pod     string `json:"pod"`
	Form    string `json:"form"`
	Outcome string `json:"outcome"`
	Policy  string `json:"policy"`
	Detail  string `json:"detail"`
}

type policyVerdict struct {
	Name    string `json:"name"`
	Invalid string `json:"invalid"`
	Unused  bool   `json:"unused"`
	Slack   []struct {
		Field  string `json:"field"`
		Change string `json:"change"`
	} `json:"slack"`
}

// The outcomes of a pod that are no fault.
const (
	unchanged = "unchanged"
	refused   = "refused without policies"
)

// faults names what is wrong, one key per kind of fault.
func (v verdict) faults() map[string]string {
	faults := map[string]string{}
	if v.Error != "" {
		faults["error"] = v.Error
	}
	for _, p := range v.Pods {
		if p.Outcome != refused {
			faults[p.Outcome] = fmt.Sprintf("%s (%s): %s by %q: %s", p.Pod, p.Form, p.Outcome, p.Policy, p.Detail)
		}
	}
	for _, p := range v.Policies {
		if p.Invalid != "" {
			faults["invalid"] = p.Name + ": invalid: " + p.Invalid
		}
		if p.Unused {
			faults["unused"] = p.Name + ": unused"
		}
		for _, s := range p.Slack {
			faults["slack "+s.Field] = fmt.Sprintf("%s: slack: %s: %s", p.Name, s.Field, s.Change)
		}
	}
	return faults
}

// ask has a request judged.
func ask(p *judge.Process, r request) (verdict, error) {
	var v verdict
	if err := p.Ask(r, &v); err != nil {
		return v, fmt.Errorf("judging %s: %w", r.Name, err)
	}
	return v, nil
}

// summary is a verdict in one line.
func (v verdict) summary() string {
	var faults []string
	for _, key := range sorted(v.Counts) {
		if key != unchanged {
			faults = append(faults, fmt.Sprintf("%d %s", v.Counts[key], key))
		}
	}
	return fmt.Sprintf("%d unchanged, %s%d policies, slack %d, invalid %d",
		v.Counts[unchanged], strings.Join(append(faults, ""), ", "), v.Judged, v.SlackTotal, v.InvalidTotal)
}
