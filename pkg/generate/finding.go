package generate

import (
	"slices"
	"strconv"
	"strings"

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
	// wording is what the message is made of, if it is about any number of namespaces; see
	// JoinFindings.
	wording string
	// count is a number in the message.
	count int
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
			name = within(m.Workload.Namespace, name)
		}
		f.Workloads = append(f.Workloads, name)
	}
	f.Workloads = slices.Compact(f.Workloads)
	return f
}

// Say returns the finding with a message about any number of namespaces: the first %s in
// the wording stands for the workloads.
func (f Finding) Say(wording string) Finding { return f.SayCount(wording, 0) }

// SayCount is Say; the first %d in the wording stands for a number, which of several
// namespaces is the sum.
func (f Finding) SayCount(wording string, count int) Finding {
	f.wording, f.count = wording, count
	f.Message = strings.Replace(wording, "%d", strconv.Itoa(count), 1)
	f.Message = strings.Replace(f.Message, "%s", FirstFew(f.Workloads), 1)
	return f
}

// JoinFindings returns the findings about namespaces of which each list has those about
// one, in their order. What Say has said about several of them is one finding.
func JoinFindings(lists ...[]Finding) []Finding {
	type said struct {
		Severity
		rule, wording string
	}
	var joined []Finding
	at := map[said]int{}
	for _, f := range slices.Concat(lists...) {
		key := said{f.Severity, f.Rule, f.wording}
		i, known := at[key]
		switch {
		case f.wording == "":
			joined = append(joined, f)
		case !known:
			at[key] = len(joined)
			f.Workloads = slices.Clone(f.Workloads)
			joined = append(joined, f)
		default:
			joined[i].join(f)
		}
	}
	for _, i := range at {
		joined[i] = joined[i].SayCount(joined[i].wording, joined[i].count)
	}
	return joined
}

// join adds what another finding says about another namespace.
func (f *Finding) join(o Finding) {
	f.count += o.count
	if f.Namespace != o.Namespace {
		for i, name := range f.Workloads {
			f.Workloads[i] = within(f.Namespace, name)
		}
		f.Namespace = ""
	}
	for _, name := range o.Workloads {
		if f.Namespace == "" {
			name = within(o.Namespace, name)
		}
		f.Workloads = append(f.Workloads, name)
	}
}

// within returns the name of a workload with its namespace, which it has already if none is
// given.
func within(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + " " + name
}
