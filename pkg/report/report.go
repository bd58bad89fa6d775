// Package report says what was seen and what follows from it, beside the
// policies themselves.
//
// An observation and the policies made from it go in; a Report comes out, a plain
// value that is printed for people (Summary) or kept as JSON. Laws, each tested:
//   - The same observation gives the same bytes: there is no time, uid or version.
//   - Every string of the cluster stays on its line.
package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

// Report is what is known beside the policies.
type Report struct {
	// Level that the policies are for.
	Level aggregate.Level `json:"level"`
	// Pods and Templates that were observed.
	Pods      int `json:"pods"`
	Templates int `json:"templates"`
	// Namespaces that had some, sorted.
	Namespaces []string `json:"namespaces"`
	// Policies is how many policies there are, of all engines.
	Policies int `json:"policies"`
	// Workloads lists which policies each workload gets, sorted.
	Workloads []Workload `json:"workloads"`
	// Findings are what a reader should know, sorted.
	Findings []generate.Finding `json:"findings"`
	// scope and gaps are part of the observation; here they are for the summary.
	scope observe.Scope
	gaps  []observe.Gap
}

// Workload is what one workload gets under one service account.
type Workload struct {
	Namespace string `json:"namespace"`
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	// ServiceAccount is empty for static pods.
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// Policies are the names of the policies that it gets, by engine.
	Policies map[string]string `json:"policies"`
}

// New reports on an observation and the policies made from it at a level.
func New(obs *observe.Observation, level aggregate.Level, results []generate.Result) Report {
	r := Report{
		Level: level, Pods: obs.Pods(), Templates: obs.Templates(), Namespaces: orEmpty(obs.Namespaces()),
		Workloads: []Workload{}, Findings: orEmpty(findings(obs, results)), scope: obs.Scope, gaps: obs.Gaps,
	}
	type member struct {
		workload aggregate.Workload
		account  string
	}
	policiesOf := map[member]map[string]string{}
	for _, result := range results {
		r.Policies += len(result.Outputs)
		for _, o := range result.Outputs {
			for _, m := range o.Group.Members {
				key := member{m.Workload, m.ServiceAccount}
				if policiesOf[key] == nil {
					policiesOf[key] = map[string]string{}
				}
				policiesOf[key][result.Engine.Name] = o.Name
			}
		}
	}
	// The order of the members, not that of the policies.
	for _, m := range obs.Members {
		w := m.Workload
		r.Workloads = append(r.Workloads, Workload{
			w.Namespace, w.Group, w.Kind, w.Name, m.ServiceAccount, policiesOf[member{w, m.ServiceAccount}],
		})
	}
	return r
}

// Summary writes the report for people: the counts, and which namespaces were
// inspected, in one line, then a line per gap and finding.
func (r Report) Summary(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s and %s in %s (%s): %s\n", Count(r.Pods, "pod"), Count(r.Templates, "template"),
		Count(len(r.Namespaces), "namespace"), printable.Text(Inspected(r.scope)), CountPolicies(r.Policies))
	for _, g := range r.gaps {
		text.WriteString("not observed: " + printable.Text(g.String()) + "\n")
	}
	if in := r.namespacesOf(RuleDefaultAccount); len(in) > 0 {
		text.WriteString("warning: service account default is in use in " + printable.Text(generate.FirstFew(in)) + ": any pod there that names no account may use its policies\n")
	}
	for _, f := range r.Findings {
		if f.Rule == RuleDefaultAccount {
			continue // said above, for all namespaces at once
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

// Inspected says in which namespaces pods and templates were looked for, so that
// nobody has to guess whether a flag has narrowed them.
func Inspected(s observe.Scope) string {
	switch {
	case len(s.Namespaces) == 1:
		return "namespace " + s.Namespaces[0] + " inspected"
	case len(s.Namespaces) > 1:
		return "namespaces " + generate.FirstFew(s.Namespaces) + " inspected"
	case len(s.ExcludedNamespaces) > 0:
		return "all namespaces but " + generate.FirstFew(s.ExcludedNamespaces) + " inspected"
	default:
		return "all namespaces inspected"
	}
}

func (r Report) namespacesOf(rule string) []string {
	var list []string
	for _, f := range r.Findings {
		if f.Rule == rule {
			list = append(list, f.Namespace)
		}
	}
	return list
}

// Count is a number of things in words.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// CountPolicies is a number of policies in words.
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
