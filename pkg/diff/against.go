package diff

import (
	"maps"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

// Permits returns what the pods of a service account may ask for in a namespace, as
// alternatives: a pod must be within one of them.
type Permits func(namespace, account string) []privilege.Set

// Against returns the workloads whose pods ask for more than what is permitted, sorted:
// for each pod, what goes beyond the nearest alternative. Static pods need no permits.
func Against(permits Permits, head *observe.Observation) []Change {
	changes := map[aggregate.Workload]*Change{}
	for _, m := range head.Members {
		if m.ServiceAccount == "" {
			continue
		}
		alternatives := permits(m.Workload.Namespace, m.ServiceAccount)
		for _, pod := range m.Profile.PodPrivileges.Values() {
			beyond := &asked{set: privilege.SetOf(pod...), privileges: m.Profile.Privileges}
			escalated := excess(&asked{set: privilege.Nearest(alternatives, beyond.set)}, beyond)
			if len(escalated) == 0 && len(alternatives) > 0 {
				continue
			}
			c := changes[m.Workload]
			if c == nil {
				c = &Change{Workload: m.Workload, State: Changed, Place: placeIn(head, m.Workload)}
				changes[m.Workload] = c
			}
			if len(alternatives) == 0 {
				c.State = Unpermitted
			}
			c.Escalated = append(c.Escalated, escalated...)
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
