// Package report summarizes an observation and the policies generated from it.
//
// Input is an observation and policies; output is a Report: a plain value with facts
// and findings, which can be printed (Summary) or encoded as JSON. Laws, each tested:
//   - The same observation gives the same bytes: a report has no time, uid or version.
//   - A string of the cluster never leaves its line.
//   - The reports of the namespaces, joined, are the report of the whole.
package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

// Report has facts and findings about an observation and its policies.
type Report struct {
	// Level that the policies are for.
	Level aggregate.Level `json:"level"`
	// Pods and Templates that were observed.
	Pods      int `json:"pods"`
	Templates int `json:"templates"`
	// Namespaces of the observed pods and templates, sorted.
	Namespaces []string `json:"namespaces"`
	// Policies is the number of policies of all engines.
	Policies int `json:"policies"`
	// Workloads with their policies, sorted.
	Workloads []Workload `json:"workloads"`
	// Findings, sorted.
	Findings []generate.Finding `json:"findings"`
	// scope and gaps of the observation, for the summary.
	scope observe.Scope
	gaps  []observe.Gap
	// shared is how many of the policies are for no namespace, but for all of them.
	shared int
}

// Workload has the policies of one workload under one service account.
type Workload struct {
	Namespace string `json:"namespace"`
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	// ServiceAccount is empty for static pods.
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// Policies are the names of the policies by engine.
	Policies map[string]string `json:"policies"`
}

// New returns the report of an observation and the policies of a level.
func New(obs *observe.Observation, level aggregate.Level, results []generate.Result) Report {
	r := Report{
		Level: level, Pods: obs.Pods(), Templates: obs.Templates(), Namespaces: orEmpty(obs.Namespaces()),
		Workloads: []Workload{}, Findings: orEmpty(findings(obs, results)), scope: obs.Scope, gaps: obs.Gaps,
	}
	policiesOf := map[aggregate.MemberKey]map[string]string{}
	for _, result := range results {
		r.Policies += len(result.Outputs)
		for _, o := range result.Outputs {
			if o.Group.Namespace == "" {
				r.shared++
			}
			for _, m := range o.Group.Members {
				key := m.Key()
				if policiesOf[key] == nil {
					policiesOf[key] = map[string]string{}
				}
				policiesOf[key][result.Engine.Name] = o.Name
			}
		}
	}
	// In the order of the members, not of the policies.
	for _, m := range obs.Members {
		w := m.Workload
		r.Workloads = append(r.Workloads, Workload{
			w.Namespace, w.Group, w.Kind, w.Name, m.ServiceAccount, policiesOf[m.Key()],
		})
	}
	return r
}

// Join returns the report of an observation from the reports of its namespaces, each made
// of what was observed there and of the policies for that. At the level of the cluster
// policies are for several namespaces, and reports cannot be joined.
func Join(obs *observe.Observation, level aggregate.Level, namespaces []Report) Report {
	all := New(obs, level, nil)
	var lists [][]generate.Finding
	for _, r := range slices.SortedFunc(slices.Values(namespaces), func(a, b Report) int { return slices.Compare(a.Namespaces, b.Namespaces) }) {
		all.Pods, all.Templates = all.Pods+r.Pods, all.Templates+r.Templates
		all.Namespaces = append(all.Namespaces, r.Namespaces...)
		all.Policies += r.Policies - r.shared
		all.shared = max(all.shared, r.shared)
		all.Workloads = append(all.Workloads, r.Workloads...)
		lists = append(lists, r.Findings)
	}
	all.Policies += all.shared
	all.Findings = append(all.Findings, generate.JoinFindings(lists...)...)
	sortFindings(all.Findings)
	return all
}

// Summary writes the report for people: one line with the numbers and the inspected
// namespaces, then one line per gap and finding.
func (r Report) Summary(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s and %s in %s (%s inspected): %s\n", Count(r.Pods, "pod"), Count(r.Templates, "template"),
		Count(len(r.Namespaces), "namespace"), printable.Text(Inspected(r.scope)), CountPolicies(r.Policies))
	for _, g := range r.gaps {
		text.WriteString("not observed: " + printable.Text(g.String()) + "\n")
	}
	if in := r.namespacesOf(RuleDefaultAccount); len(in) > 0 {
		text.WriteString("warning: service account default is in use in " + printable.Text(generate.FirstFew(in)) + ": any pod there that names no service account can use its policies\n")
	}
	for _, f := range r.Findings {
		if f.Rule == RuleDefaultAccount {
			continue // see above: one line for all namespaces
		}
		where := ""
		if f.Namespace != "" {
			where = printable.Text(f.Namespace) + ": "
		}
		text.WriteString(string(f.Severity) + ": " + where + printable.Text(f.Message) + "\n")
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("writing the summary: %w", err)
	}
	return nil
}

// Inspected names the namespaces of a scope.
func Inspected(s observe.Scope) string {
	switch {
	case len(s.Namespaces) == 1:
		return "namespace " + s.Namespaces[0]
	case len(s.Namespaces) > 1:
		return "namespaces " + generate.FirstFew(s.Namespaces)
	case len(s.ExcludedNamespaces) > 0:
		return "all namespaces except " + generate.FirstFew(s.ExcludedNamespaces)
	default:
		return "all namespaces"
	}
}

// Has reports whether there is a finding of a rule.
func (r Report) Has(rule string) bool {
	return slices.ContainsFunc(r.Findings, func(f generate.Finding) bool { return f.Rule == rule })
}

// Empty reports whether no pod and no template was observed.
func (r Report) Empty() bool { return r.Pods+r.Templates == 0 }

func (r Report) namespacesOf(rule string) []string {
	var list []string
	for _, f := range r.Findings {
		if f.Rule == rule {
			list = append(list, f.Namespace)
		}
	}
	return list
}

// Count returns a number with its noun, in the plural if needed.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// CountPolicies is Count for policies.
func CountPolicies(n int) string {
	if n == 1 {
		return "1 policy"
	}
	return strconv.Itoa(n) + " policies"
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
