package app

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// withinReport is what --within prints, as JSON or as text.
type withinReport struct {
	Policies []withinPolicy `json:"policies"`
	// Refused are refused by each policy that they may use.
	Refused []withinWorkload `json:"refused"`
	// Unbound may use none of the policies.
	Unbound []withinWorkload `json:"unbound"`
}

type withinPolicy struct {
	Name string `json:"name"`
	// Grants are who may use the policy; nil if the files do not have that.
	Grants    []string           `json:"grants,omitempty"`
	Invalid   []withinDifference `json:"invalid,omitempty"`
	Workloads []withinWorkload   `json:"workloads"`
	Exceeds   []withinDifference `json:"exceeds,omitempty"`
	Changed   []withinDifference `json:"changed,omitempty"`
	Tighter   []withinDifference `json:"tighter,omitempty"`
}

type withinWorkload struct {
	Namespace      string `json:"namespace"`
	Group          string `json:"group,omitempty"`
	Kind           string `json:"kind"`
	Name           string `json:"name"`
	ServiceAccount string `json:"serviceAccount,omitempty"` // none for static pods
	// Outcome is that of the policy; empty in the lists for all policies.
	Outcome psp.Outcome `json:"outcome,omitempty"`
	// Containers that need something; empty for a setting of the pod.
	Containers []string `json:"containers,omitempty"`
}

type withinDifference struct {
	Field   string           `json:"field"`
	Message string           `json:"message"`
	By      []withinWorkload `json:"by,omitempty"`
}

func withinWorkloadOf(m aggregate.Member) withinWorkload {
	return withinWorkload{Namespace: m.Workload.Namespace, Group: m.Workload.Group, Kind: m.Workload.Kind, Name: m.Workload.Name, ServiceAccount: m.ServiceAccount}
}

func withinPolicyOf(c psp.Comparison) withinPolicy {
	p := withinPolicy{Name: c.Policy, Workloads: []withinWorkload{}}
	for _, g := range c.Grants {
		p.Grants = append(p.Grants, g.String())
	}
	for i, m := range c.Group.Members {
		w := withinWorkloadOf(m)
		w.Outcome = c.Outcomes[i]
		p.Workloads = append(p.Workloads, w)
	}
	differences := func(list []psp.Difference) []withinDifference {
		var all []withinDifference
		for _, d := range list {
			all = append(all, withinDifference{d.Field, d.Text, usersOf(c.Group, d.Uses)})
		}
		return all
	}
	p.Invalid, p.Exceeds, p.Changed, p.Tighter = differences(c.Faults), differences(c.Exceeds), differences(c.Changed), differences(c.Tighter)
	return p
}

// usersOf returns the members of uses, which are sorted.
func usersOf(g aggregate.Group, uses []profile.Use) []withinWorkload {
	var list []withinWorkload
	for i := 0; i < len(uses); {
		first := i
		for ; i < len(uses) && uses[i].Member == uses[first].Member; i++ {
		}
		w := withinWorkloadOf(g.Members[uses[first].Member])
		w.Containers = profile.Containers(uses[first:i])
		list = append(list, w)
	}
	return list
}

// json returns the report as JSON.
func (r withinReport) json() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return append(printable.JSON(data), '\n'), nil
}

// text returns the report as text, one line per fact.
func (r withinReport) text() []byte {
	var out bytes.Buffer
	for _, p := range r.Policies {
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(oneLine("PodSecurityPolicy "+p.Name) + "\n")
		p.lines(func(word, text string) { fmt.Fprintf(&out, "  %-8s %s\n", word+":", oneLine(text)) })
	}
	if len(r.Refused)+len(r.Unbound) > 0 {
		out.WriteString("\nAll policies\n")
	}
	for _, w := range r.Refused {
		fmt.Fprintf(&out, "  %-8s %s\n", "refuse:", oneLine(w.String()))
	}
	for _, w := range r.Unbound {
		fmt.Fprintf(&out, "  %-8s %s\n", "unbound:", oneLine(w.String()+" may use none of them"))
	}
	return out.Bytes()
}

// lines gives line each fact about the policy, with a word for its kind.
func (p withinPolicy) lines(line func(word, text string)) {
	if len(p.Grants) == 0 {
		line("for", "all observed workloads: no RBAC in the files says who may use it")
	}
	for _, g := range p.Grants {
		line("for", g)
	}
	if len(p.Workloads) == 0 {
		line("unused", "no observed workload may use it")
	}
	for _, d := range p.Invalid {
		line("invalid", d.Field+": "+d.Message)
	}
	for _, outcome := range []psp.Outcome{psp.Fits, psp.Changes, psp.Refuses} {
		for _, w := range p.Workloads {
			if w.Outcome == outcome {
				line(string(outcome), w.String())
			}
		}
	}
	for _, list := range []struct {
		word        string
		differences []withinDifference
	}{{"exceeds", p.Exceeds}, {"changed", p.Changed}, {"tighter", p.Tighter}} {
		for _, d := range list.differences {
			line(list.word, d.Field+": "+d.Message)
		}
	}
}

func (w withinWorkload) String() string {
	text := w.Namespace + " " + w.Kind + "/" + w.Name
	if w.ServiceAccount == "" {
		return text + ", static pods"
	}
	return text + ", service account " + w.ServiceAccount
}
