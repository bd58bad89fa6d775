package observe

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
)

// Join returns the union of observations, of which there must be at least one. A member
// of several observations has the union of their profiles and the highest of their
// counts. It is an error if the observations were made with different options.
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
			joined.Source = "" // several sources have no common name
		}
		members = append(members, o.Members)
		joined.Gaps = append(joined.Gaps, o.Gaps...)
		joined.Skipped = append(joined.Skipped, o.Skipped...)
		joined.Warnings = append(joined.Warnings, o.Warnings...)
		joined.UnknownOwners = append(joined.UnknownOwners, o.UnknownOwners...)
		joined.Elsewhere = max(joined.Elsewhere, o.Elsewhere)
		for w, p := range o.Places {
			if known, ok := joined.Places[w]; ok && known.Compare(p) <= 0 {
				continue
			}
			if joined.Places == nil {
				joined.Places = map[aggregate.Workload]Place{}
			}
			joined.Places[w] = p
		}
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

// sortedSet sorts the list in place and removes duplicates.
func sortedSet[T any](list []T, compare func(a, b T) int) []T {
	slices.SortStableFunc(list, compare)
	return slices.CompactFunc(list, func(a, b T) bool { return compare(a, b) == 0 })
}

// Narrow returns the part of an observation in the namespaces of a scope; the pods and
// templates of the others are in Elsewhere. Unread and Skipped stay whole. It is an error
// if the scope has another selector, fewer sources or debug containers, because an
// observation has neither labels nor separate profiles for these.
func (o *Observation) Narrow(scope Scope) (*Observation, error) {
	switch {
	case scope.Selector != nil && scope.SelectorText() != o.Scope.SelectorText():
		return nil, fmt.Errorf("it was made with --selector %q: set the same one, or observe again", o.Scope.SelectorText())
	case o.Scope.Pods && !scope.Pods, o.Scope.Templates && !scope.Templates:
		return nil, fmt.Errorf("it was made with --source %s: set the same one, or observe again", o.Scope.sourceText())
	case scope.EphemeralContainers && !o.Scope.EphemeralContainers:
		return nil, errors.New("it was made without --ephemeral-containers: omit the flag, or observe again")
	}
	narrowed := *o
	var err error
	if narrowed.Scope, err = o.Scope.meet(scope); err != nil {
		return nil, err
	}
	narrowed.Members = nil
	for _, m := range o.Members {
		if scope.Includes(m.Workload.Namespace) {
			narrowed.Members = append(narrowed.Members, m)
		} else {
			narrowed.Elsewhere += m.Pods + m.Templates
		}
	}
	narrowed.UnknownOwners = slices.DeleteFunc(slices.Clone(o.UnknownOwners), func(w aggregate.Workload) bool { return !scope.Includes(w.Namespace) })
	narrowed.Gaps = slices.DeleteFunc(slices.Clone(o.Gaps), func(g Gap) bool { return g.Namespace != "" && !scope.Includes(g.Namespace) })
	return &narrowed, nil
}
