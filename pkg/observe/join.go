package observe

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
)

// Join returns what several observations, at least one, saw together. Of a
// workload that several of them saw, the profiles are joined and the highest counts
// kept. It is an error if they were made in ways that cannot be joined.
func Join(observations ...*Observation) (*Observation, error) {
	joined := &Observation{Scope: observations[0].Scope, Source: observations[0].Source}
	var members [][]aggregate.Member
	unread := map[[2]string]Unread{}
	for _, o := range observations {
		scope, err := joined.Scope.join(o.Scope)
		if err != nil {
			return nil, fmt.Errorf("joining observations: %w", err)
		}
		joined.Scope = scope
		if o.Source != joined.Source {
			joined.Source = "" // what is of several has no name
		}
		members = append(members, o.Members)
		joined.Gaps = append(joined.Gaps, o.Gaps...)
		joined.Skipped = append(joined.Skipped, o.Skipped...)
		joined.Warnings = append(joined.Warnings, o.Warnings...)
		joined.UnknownOwners = append(joined.UnknownOwners, o.UnknownOwners...)
		joined.Elsewhere = max(joined.Elsewhere, o.Elsewhere)
		for _, u := range o.Unread {
			key := [2]string{u.Group, u.Kind}
			known := unread[key]
			unread[key] = Unread{
				Group: u.Group, Kind: u.Kind, Objects: max(known.Objects, u.Objects),
				Places: sortedSet(slices.Concat(known.Places, u.Places), cmp.Compare[string]),
			}
		}
	}
	joined.Members = aggregate.Join(members...)
	joined.Gaps = sortedSet(joined.Gaps, Gap.Compare)
	joined.Skipped = sortedSet(joined.Skipped, Skipped.Compare)
	joined.Warnings = sortedSet(joined.Warnings, Warning.Compare)
	joined.UnknownOwners = sortedSet(joined.UnknownOwners, aggregate.Workload.Compare)
	joined.Unread = slices.SortedFunc(maps.Values(unread), Unread.Compare)
	return joined, nil
}

// sortedSet sorts a list that nobody else holds and keeps one of equal elements.
func sortedSet[T any](list []T, compare func(a, b T) int) []T {
	slices.SortStableFunc(list, compare)
	return slices.CompactFunc(list, func(a, b T) bool { return compare(a, b) == 0 })
}

// Narrow returns the part of an observation that is in the namespaces of a scope. It
// is an error if the scope asks for what the observation does not tell: it keeps
// neither labels nor sources apart, and has debug containers or not.
func (o *Observation) Narrow(scope Scope) (*Observation, error) {
	switch {
	case scope.Selector != nil && scope.SelectorText() != o.Scope.SelectorText():
		return nil, fmt.Errorf("the observation was made with the selector %q: give --selector where it is made", o.Scope.SelectorText())
	case o.Scope.Pods && !scope.Pods, o.Scope.Templates && !scope.Templates:
		return nil, fmt.Errorf("the observation was made from %v: give --source where it is made", o.Scope.Sources())
	case scope.EphemeralContainers && !o.Scope.EphemeralContainers:
		return nil, errors.New("the observation was made without debug containers: give --ephemeral-containers where it is made")
	}
	narrowed := *o
	var err error
	if narrowed.Scope, err = o.Scope.meet(scope); err != nil {
		return nil, err
	}
	narrowed.Members = slices.DeleteFunc(slices.Clone(o.Members), func(m aggregate.Member) bool { return !scope.Includes(m.Workload.Namespace) })
	narrowed.UnknownOwners = slices.DeleteFunc(slices.Clone(o.UnknownOwners), func(w aggregate.Workload) bool { return !scope.Includes(w.Namespace) })
	narrowed.Gaps = slices.DeleteFunc(slices.Clone(o.Gaps), func(g Gap) bool { return g.Namespace != "" && !scope.Includes(g.Namespace) })
	return &narrowed, nil
}
