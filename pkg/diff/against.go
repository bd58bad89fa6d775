package diff

import (
	"maps"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

// Permitted is what pods may ask for, such as a privilege.Set.
type Permitted interface {
	// Excess returns the lines of what a pod asks for that are not permitted, sorted.
	Excess(asked privilege.Set) []string
	// Lines are the permitted lines. One that ends in an asterisk or a range stands for
	// several, and where they are endless some are missing.
	Lines() []string
}

// Permits returns what the pods of a service account may ask for in a namespace, as
// alternatives: a pod must be within one of them.
type Permits func(namespace, account string) []Permitted

// Against returns the workloads whose pods ask for more than what is permitted, by each
// of several bases, sorted: for each pod, what goes beyond the nearest alternative. Static
// pods need no permits.
func Against(bases []Permits, head *observe.Observation) []Change {
	changes := map[aggregate.Workload]*Change{}
	for _, m := range head.Members {
		if m.ServiceAccount == "" {
			continue
		}
		for _, permits := range bases {
			against(permits(m.Workload.Namespace, m.ServiceAccount), m, func() *Change {
				c := changes[m.Workload]
				if c == nil {
					c = &Change{Workload: m.Workload, State: Changed, Place: placeIn(head, m.Workload)}
					changes[m.Workload] = c
				}
				return c
			})
		}
	}
	var list []Change
	for _, w := range slices.SortedFunc(maps.Keys(changes), aggregate.Workload.Compare) {
		c := changes[w]
		c.Escalated = merged(c.Escalated)
		list = append(list, *c)
	}
	return list
}

// against adds what the pods of a member ask for beyond the alternatives to its change.
func against(alternatives []Permitted, m aggregate.Member, change func() *Change) {
	for _, pod := range m.Profile.PodPrivileges.Values() {
		beyond := &asked{set: privilege.SetOf(pod...), privileges: m.Profile.Privileges}
		var permitted Permitted = privilege.Set{}
		if len(alternatives) > 0 {
			permitted = privilege.Nearest(alternatives, beyond.set)
		}
		escalated := excess(permitted, beyond)
		if len(escalated) == 0 && len(alternatives) > 0 {
			continue
		}
		c := change()
		if len(alternatives) == 0 {
			c.State = Unpermitted
		}
		c.Escalated = append(c.Escalated, escalated...)
	}
}

// merged returns the privileges with one for each line: those of several pods are joined.
func merged(list []Privilege) []Privilege {
	byLine := map[string]Privilege{}
	for _, p := range list {
		known, ok := byLine[p.Line]
		if ok {
			p.Containers = union(known.Containers, p.Containers)
			p.Other = union(known.Other, p.Other)
		}
		byLine[p.Line] = p
	}
	var all []Privilege
	for _, line := range slices.Sorted(maps.Keys(byLine)) {
		all = append(all, byLine[line])
	}
	return all
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
