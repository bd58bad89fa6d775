// Package report says what was seen and what follows from it, beside the
// policies themselves.
//
// In go an observation and the policies made from it; out comes a Report, a
// plain value that is printed for people (Summary) or kept as JSON. The same
// observation gives the same bytes: there is no time, uid or version in it.
//
// For clusters, Pack turns a report into ConfigMaps. They are an API that other
// programs read (Schema, Index, Document and the labels and keys beside them).
// Laws, each tested:
//   - A report is one ConfigMap or, when it is above MaxBytes, several. Their
//     names end in the hash of their content, and they never change.
//   - The index, IndexName, is all that changes. It names the ConfigMaps of each
//     report in order; Unpack puts them together again and checks the hashes.
//   - A ConfigMap that the index does not name is none of a reader's business.
//     One that is gone was replaced: the index says by which, read it again.
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
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Report is what is known beside the policies.
type Report struct {
	// Level that the policies are for.
	Level aggregate.Level `json:"level"`
	// Pods and Templates that were counted.
	Pods      int `json:"pods"`
	Templates int `json:"templates"`
	// Namespaces that had some, sorted.
	Namespaces []string `json:"namespaces"`
	// Policies is how many policies there are.
	Policies int `json:"policies"`
	// Workloads lists what each workload needs, sorted.
	Workloads []Workload `json:"workloads"`
	// Findings are what a reader should know, sorted.
	Findings []generate.Finding `json:"findings"`
	// Gaps says what could not be observed, sorted.
	Gaps []string `json:"gaps,omitempty"`
}

// Workload is what one workload needs under one service account.
type Workload struct {
	Namespace string `json:"namespace"`
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	// ServiceAccount is empty for static pods.
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// Policies are the names of the policies that it gets, by engine.
	Policies map[string]string `json:"policies"`
	// Profile has the observed values, each with the containers that have it.
	Profile *profile.Profile `json:"profile"`
}

// New reports on an observation and the policies made from it at a level.
// debug says that ephemeral containers count.
func New(obs *observe.Observation, level aggregate.Level, results []generate.Result, debug bool) Report {
	members := obs.Members
	r := Report{
		Level: level, Pods: obs.Pods, Templates: obs.Templates, Namespaces: obs.Namespaces,
		Findings: findings(obs, results, debug),
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
	// The order of the fleet, not that of the policies.
	for _, m := range members {
		r.Workloads = append(r.Workloads, Workload{
			Namespace: m.Workload.Namespace, Group: m.Workload.Group, Kind: m.Workload.Kind, Name: m.Workload.Name,
			ServiceAccount: m.ServiceAccount, Policies: policiesOf[member{m.Workload, m.ServiceAccount}], Profile: m.Profile,
		})
	}
	for _, g := range obs.Gaps {
		r.Gaps = append(r.Gaps, g.String())
	}
	return r
}

// Summary writes the report for people: the counts in one line, then a line per
// gap and finding. Control characters of cluster strings are escaped.
func (r Report) Summary(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s and %s in %s: %s\n", Count(r.Pods, "pod"), Count(r.Templates, "template"),
		Count(len(r.Namespaces), "namespace"), countPolicies(r.Policies))
	for _, g := range r.Gaps {
		text.WriteString("not observed: " + printable.Text(g) + "\n")
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
		return fmt.Errorf("writing summary: %w", err)
	}
	return nil
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

func countPolicies(n int) string {
	if n == 1 {
		return "1 policy"
	}
	return strconv.Itoa(n) + " policies"
}
