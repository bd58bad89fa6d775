package generate

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
)

// Finding is a fact about policies that their users should know.
type Finding struct {
	Severity Severity `json:"severity"`
	// Rule names the kind of finding, in kebab case.
	Rule string `json:"rule"`
	// Namespace is empty for a finding about several namespaces.
	Namespace string `json:"namespace,omitempty"`
	// Workloads concerned, sorted; with their namespace if Namespace is empty.
	Workloads []string `json:"workloads,omitempty"`
	// Message for people.
	Message string `json:"message"`
}

// Severity of a finding.
type Severity string

// The severities.
const (
	Warning Severity = "warning"
	Info    Severity = "info"
)

// About returns a finding without a message about members, which must be sorted and
// not empty.
func About(members []aggregate.Member, severity Severity, rule string) Finding {
	f := Finding{Severity: severity, Rule: rule, Namespace: members[0].Workload.Namespace}
	if slices.ContainsFunc(members, func(m aggregate.Member) bool { return m.Workload.Namespace != f.Namespace }) {
		f.Namespace = ""
	}
	for _, m := range members {
		name := m.Workload.String()
		if f.Namespace == "" {
			name = m.Workload.Namespace + " " + name
		}
		f.Workloads = append(f.Workloads, name)
	}
	f.Workloads = slices.Compact(f.Workloads)
	return f
}
