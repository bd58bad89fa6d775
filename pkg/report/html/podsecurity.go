package html

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/report"
)

// podSecurity has the namespaces by what Pod Security says about them.
type podSecurity []verdict

// verdict is what Pod Security says about some namespaces.
type verdict struct {
	Level, Version string
	// Next is the level that the namespaces are kept from.
	Next string
	// Held are the checks that keep them from it, each with the workloads that fail it.
	Held []held
	// Timeline has the versions that change the level.
	Timeline   []levelChange
	Namespaces []namespace
}

// levelChange is a version of Kubernetes that changes a level, and what refuses the tighter one.
type levelChange struct {
	Words string
	Held  []held
}

func (c levelChange) equal(o levelChange) bool {
	return c.Words == o.Words && slices.Equal(c.Held, o.Held)
}

// held are checks that the same workloads fail.
type held struct{ Checks, Workloads string }

// add adds a namespace.
func (p *podSecurity) add(n namespace, f report.FindingNamespace, workloads []report.FindingWorkload) {
	v := verdict{Level: name(f.Level), Version: name(f.Version)}
	all := map[string]bool{}
	for _, w := range workloads {
		all[w.Workload().String()] = true
	}
	for _, h := range f.HeldBack {
		v.Next = name(h.Level)
	}
	v.Held = heldOf(f.HeldBack, all)
	for _, c := range f.Timeline {
		v.Timeline = append(v.Timeline, levelChange{c.String(), heldOf(c.HeldBack, all)})
	}
	i := slices.IndexFunc(*p, func(o verdict) bool {
		return v.Level == o.Level && v.Version == o.Version && v.Next == o.Next && slices.Equal(v.Held, o.Held) && slices.EqualFunc(v.Timeline, o.Timeline, levelChange.equal)
	})
	if i < 0 {
		i = len(*p)
		*p = append(*p, v)
	}
	(*p)[i].Namespaces = append((*p)[i].Namespaces, n)
}

// heldOf returns checks by the workloads that fail them, of all workloads.
func heldOf(list []report.HeldBack, all map[string]bool) []held {
	checks := map[string][]string{}
	for _, h := range list {
		words := failing(h.Workloads, all)
		checks[words] = append(checks[words], name(h.Check))
	}
	var shared []held
	for _, words := range sortedKeys(checks) {
		slices.Sort(checks[words])
		shared = append(shared, held{strings.Join(checks[words], ", "), words})
	}
	slices.SortStableFunc(shared, func(a, b held) int { return strings.Compare(a.Checks, b.Checks) })
	return shared
}

// levels are the levels of Pod Security, the loosest first.
var levels = []string{"privileged", "baseline", "restricted"}

// finish sorts the verdicts, the loosest level first, and the most namespaces first.
func (p podSecurity) finish() {
	slices.SortStableFunc(p, func(a, b verdict) int {
		return cmp.Or(
			slices.Index(levels, a.Level)-slices.Index(levels, b.Level), strings.Compare(a.Version, b.Version),
			len(b.Namespaces)-len(a.Namespaces), strings.Compare(a.Namespaces[0].Name, b.Namespaces[0].Name),
		)
	})
	for _, v := range p {
		slices.SortStableFunc(v.Namespaces, func(a, b namespace) int { return strings.Compare(a.Name, b.Name) })
	}
}

// failing returns in words which of all workloads those of a list are.
func failing(list []string, all map[string]bool) string {
	listed := map[string]bool{}
	within := true
	for _, w := range list {
		listed[w] = true
		within = within && all[w]
	}
	var others []string
	for w := range all {
		if !listed[w] {
			others = append(others, name(w))
		}
	}
	slices.Sort(others)
	switch {
	case within && len(others) == 0:
		return "all workloads"
	case within && len(others) < len(list)/2:
		return fmt.Sprintf("all workloads but %s", strings.Join(others, ", "))
	}
	var words []string
	for _, w := range list {
		words = append(words, name(w))
	}
	return strings.Join(words, ", ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
