package generate

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
)

// Finding is something that a reader of policies should know.
type Finding struct {
	Severity Severity `json:"severity"`
	// Rule names the kind of finding, in kebab case.
	Rule string `json:"rule"`
	// Namespace is where; empty for a finding about several namespaces.
	Namespace string `json:"namespace,omitempty"`
	// Workloads that it is about, sorted; with their namespace where Namespace is
	// empty.
	Workloads []string `json:"workloads,omitempty"`
	// Message says it to people.
	Message string `json:"message"`
}

// Severity is how much a finding matters.
type Severity string

// The severities.
const (
	Warning Severity = "warning"
	Info    Severity = "info"
)

// About returns a finding about members, at least one, sorted. Its message is
// the caller's.
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
