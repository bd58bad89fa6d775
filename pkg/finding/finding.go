// Package finding says what is wrong with workloads, and the smallest change that mends
// it.
//
// Input is the members of an observation; output is findings: a rule of one table
// (Rules), who breaks it, down to the container, and a Remedy: the fields to change in
// the manifest of the workload, as a strategic merge patch. Each file has one family of
// rules. The rules read what a pod asks for (package privilege), so that a finding, a
// policy and a difference never disagree. Laws, each tested:
//   - The same members give the same findings, in the same order.
//   - A remedy that is applied makes its finding go, and makes its pods ask for nothing
//     of severity low or worse that they have not asked for.
//   - The remedies of a workload can be applied together (Combine).
//   - What a remedy that is safe by construction takes away is not in effect.
package finding

import (
	"cmp"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Finding is a rule that a workload breaks.
type Finding struct {
	// Rule is the ID of the rule.
	Rule string
	// Severity of this finding; that of the rule is the worst.
	Severity privilege.Severity
	// Container that breaks the rule; empty for the pod as a whole.
	Container string
	// Kind of the container.
	Kind profile.Kind
	// Subject is what breaks it: a line of package privilege where there is one.
	Subject string
	// Remedy mends it; nil if no field of the manifest does.
	Remedy *Remedy
}

// Compare orders the worst first, then by rule, container and subject.
func (f Finding) Compare(o Finding) int {
	return cmp.Or(
		o.Severity.Compare(f.Severity), strings.Compare(f.Rule, o.Rule),
		strings.Compare(f.Container, o.Container), strings.Compare(f.Subject, o.Subject),
	)
}

// Workload is a workload with its findings.
type Workload struct {
	aggregate.Workload
	// ServiceAccounts of its pods, sorted; static pods have none.
	ServiceAccounts []string
	// Pods and Templates that were observed.
	Pods, Templates int
	// Profile is the union of the profiles of its pods and templates.
	Profile *profile.Profile
	// Findings, the worst first.
	Findings []Finding
}

// Of returns the workloads of the members, sorted, with their findings. images says what
// is known about images; it may be nil.
func Of(members []aggregate.Member, images Images) []Workload {
	subjects := subjectsOf(members, images)
	workloads := make([]Workload, len(subjects))
	for i, s := range subjects {
		for j := range rules {
			rule := &rules[j]
			rule.find(s, func(f Finding) {
				if rule.implied && s.asksFor("privileged", f.Container) {
					return
				}
				f.Rule = rule.ID
				if f.Severity == "" {
					f.Severity = rule.Severity
				}
				f.Kind = s.kindOf(f.Container)
				if f.Remedy != nil {
					f.Remedy = f.Remedy.in(s, f.Container)
				}
				s.Findings = append(s.Findings, f)
			})
		}
		slices.SortStableFunc(s.Findings, Finding.Compare)
		s.Findings = slices.CompactFunc(s.Findings, func(a, b Finding) bool { return a.Compare(b) == 0 })
		workloads[i] = s.Workload
	}
	return workloads
}

// subject is a workload that rules are applied to.
type subject struct {
	Workload
	images Images
	// containers are what the containers are, by name.
	containers map[string][]profile.Container
	// template is true if the manifest of the workload was observed.
	template bool
	// accounts are the service accounts of all workloads.
	accounts accounts
	// asks is what the pods ask for together.
	asks privilege.Set
}

func subjectsOf(members []aggregate.Member, images Images) []*subject {
	var list []*subject
	accounts := accounts{users: map[aggregate.Account]*users{}, names: map[aggregate.Account]int{}}
	for _, m := range slices.SortedFunc(slices.Values(members), aggregate.Member.Compare) {
		n := len(list)
		if n > 0 && list[n-1].Workload.Workload == m.Workload {
			list[n-1].Profile = profile.Join(list[n-1].Profile, m.Profile)
		} else {
			list = append(list, &subject{Workload: Workload{Workload: m.Workload, Profile: m.Profile}, images: images, accounts: accounts})
			accounts.names[aggregate.Account{Namespace: m.Workload.Namespace, Name: accountName(m.Workload.Name)}]++
		}
		s := list[len(list)-1]
		s.Pods, s.Templates = s.Pods+m.Pods, s.Templates+m.Templates
		if m.ServiceAccount != "" {
			s.ServiceAccounts = append(s.ServiceAccounts, m.ServiceAccount)
			accounts.add(m.Account(), s)
		}
	}
	for _, s := range list {
		s.containers = map[string][]profile.Container{}
		for _, it := range s.Profile.Containers.Items() {
			for _, name := range profile.Containers(it.Uses) {
				s.containers[name] = append(s.containers[name], it.Value)
			}
			s.template = s.template || it.Value.Template
		}
		s.asks = privilege.SetOf(textsOf(s.Profile.Privileges)...)
	}
	return list
}

func textsOf(set profile.Set[profile.Name]) []string {
	var list []string
	for _, n := range set.Values() {
		list = append(list, string(n))
	}
	return list
}

// kindOf returns the kind of a container; empty if it is not known.
func (s *subject) kindOf(container string) profile.Kind {
	for _, c := range s.containers[container] {
		return c.Kind
	}
	return ""
}

// injected reports whether a container is not in the manifest, which was observed.
func (s *subject) injected(container string) bool {
	return s.template && container != "" && !slices.ContainsFunc(s.containers[container], func(c profile.Container) bool { return c.Template })
}

// each calls f for each line that satisfies matches, with each container that asks for
// it; the container is empty if the pod as a whole does.
func (s *subject) each(matches func(line string) bool, f func(line, container string)) {
	for _, it := range s.Profile.Privileges.Items() {
		if line := string(it.Value); matches(line) {
			for _, u := range it.Uses {
				f(line, u.Container)
			}
		}
	}
}

// asksFor reports whether a container asks for a line.
func (s *subject) asksFor(line, container string) bool {
	return has(s.Profile.Privileges, container, func(n profile.Name) bool { return string(n) == line })
}

// has reports whether a container has a value that satisfies f.
func has[T profile.Value[T]](set profile.Set[T], container string, f func(T) bool) bool {
	return slices.ContainsFunc(set.Uses(f), func(u profile.Use) bool { return u.Container == container })
}

// valuesOf returns the values that a container has.
func valuesOf[T profile.Value[T]](set profile.Set[T], container string) []T {
	var list []T
	for _, it := range set.Items() {
		if slices.ContainsFunc(it.Uses, func(u profile.Use) bool { return u.Container == container }) {
			list = append(list, it.Value)
		}
	}
	return list
}

// exactly returns what is a line for each.
func exactly(want string) func(string) bool { return func(line string) bool { return line == want } }
