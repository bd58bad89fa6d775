package publish

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/report"
)

// Source is where observations come from.
type Source interface {
	// Namespaces that may have pods or templates, sorted.
	Namespaces() []string
	// Observe returns what is seen in namespaces; none means in all.
	Observe(namespaces ...string) *observe.Observation
	// Gaps is what cannot be seen there.
	Gaps(namespaces ...string) []observe.Gap
}

// Options say what is published.
type Options struct {
	// Scope is what the source observes.
	Scope   observe.Scope
	Level   aggregate.Level
	Engines []generate.Engine
	// AllowPartial lets a report be made where something cannot be observed;
	// without it, the older report stays.
	AllowPartial bool
}

// NewPass returns the pass that publishes what the source sees.
func (o Options) NewPass(source Source) Pass {
	gaps := source.Gaps()
	p := Pass{
		Index:      Index{Level: o.Level, Engines: engineNames(o.Engines), Coverage: o.coverage(gaps)},
		Gaps:       gaps,
		Namespaces: source.Namespaces(),
		Render:     func(namespace string) (Bundle, error) { return o.render(source, namespace) },
		Unread: func(namespace string) *observe.Gap {
			if o.AllowPartial || !o.covers(namespace) {
				return nil
			}
			return first(source.Gaps(namespacesIn(namespace)...))
		},
	}
	if o.Level == aggregate.ByCluster {
		p.Namespaces = []string{""}
	}
	return p
}

func engineNames(engines []generate.Engine) []string {
	names := make([]string, len(engines))
	for i, e := range engines {
		names[i] = e.Name
	}
	return names
}

// namespacesIn is what to observe for a report.
func namespacesIn(namespace string) []string {
	if namespace == "" {
		return nil
	}
	return []string{namespace}
}

// covers reports whether a report is about what is to be observed.
func (o Options) covers(namespace string) bool {
	if namespace == "" {
		return o.Level == aggregate.ByCluster
	}
	return o.Scope.Includes(namespace)
}

// render makes a report. Its observation is the last word on gaps: there may be one
// by now.
func (o Options) render(source Source, namespace string) (Bundle, error) {
	obs := source.Observe(namespacesIn(namespace)...)
	if gap := first(obs.Gaps); gap != nil && !o.AllowPartial {
		return Bundle{}, unreadError{*gap}
	}
	if len(obs.Members) == 0 && namespace != "" {
		return Bundle{Entry: Entry{Namespace: namespace}}, nil
	}
	results := generate.Run(o.Engines, obs.Members, o.Level)
	return Pack(namespace, obs, report.New(obs, o.Level, results), results)
}

// unreadError says that a report was not made since something cannot be observed.
type unreadError struct{ gap observe.Gap }

func (e unreadError) Error() string { return "observing " + e.gap.String() }

func (o Options) coverage(gaps []observe.Gap) Coverage {
	return Coverage{
		Namespaces: sorted(o.Scope.Namespaces), ExcludedNamespaces: sorted(o.Scope.ExcludedNamespaces),
		Selector: o.Scope.SelectorText(), Sources: o.Scope.Sources(), EphemeralContainers: o.Scope.EphemeralContainers,
		Gaps: gapsOf(gaps),
	}
}

// sorted returns the names as they are published: the order and repetition of
// flags leave no trace.
func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// first returns the first gap, or nil if there is none.
func first(gaps []observe.Gap) *observe.Gap {
	if len(gaps) == 0 {
		return nil
	}
	return &gaps[0]
}
