package publish

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/report"
)

// Source provides observations.
type Source interface {
	// Namespaces that may have pods or templates, sorted.
	Namespaces() []string
	// Observe returns the observation of namespaces; none means all.
	Observe(namespaces ...string) *observe.Observation
	// Gaps returns the gaps there.
	Gaps(namespaces ...string) []observe.Gap
}

// Options of what to publish.
type Options struct {
	// Scope of the source.
	Scope   observe.Scope
	Level   aggregate.Level
	Engines []generate.Engine
	// AllowPartial publishes reports even if something could not be observed.
	// Otherwise the existing report is kept and marked as stale.
	AllowPartial bool
	// Minor version of Kubernetes that pods are judged for by Pod Security; 0 is the
	// latest one.
	Minor int
}

// NewPass returns the pass that publishes the observations of a source.
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
			return first(source.Gaps(NamespacesIn(namespace)...))
		},
		HasGap: func(namespace string) bool { return len(source.Gaps(NamespacesIn(namespace)...)) > 0 },
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

// NamespacesIn returns the namespaces to observe for the report of a namespace; none, which
// means all, for that of the cluster.
func NamespacesIn(namespace string) []string {
	if namespace == "" {
		return nil
	}
	return []string{namespace}
}

// covers reports whether the report of a namespace is in the scope.
func (o Options) covers(namespace string) bool {
	if namespace == "" {
		return o.Level == aggregate.ByCluster
	}
	return o.Scope.Includes(namespace)
}

// render returns the report of a namespace. It checks the gaps of its observation,
// because there may be one since the pass began.
func (o Options) render(source Source, namespace string) (Bundle, error) {
	obs := source.Observe(NamespacesIn(namespace)...)
	if gap := first(obs.Gaps); gap != nil && !o.AllowPartial {
		return Bundle{}, unreadError{*gap}
	}
	if len(obs.Members) == 0 && namespace != "" {
		return Bundle{Entry: Entry{Namespace: namespace}}, nil
	}
	results := generate.Run(o.Engines, obs.Members, o.Level)
	return Pack(namespace, obs, report.New(obs, o.Level, results), report.Findings(obs, nil, o.Minor), results)
}

// unreadError is the error for a report that was not made because of a gap.
type unreadError struct{ gap observe.Gap }

func (e unreadError) Error() string { return "observing " + e.gap.String() }

func (o Options) coverage(gaps []observe.Gap) Coverage {
	return Coverage{
		Namespaces: sorted(o.Scope.Namespaces), ExcludedNamespaces: sorted(o.Scope.ExcludedNamespaces),
		Selector: o.Scope.SelectorText(), Sources: o.Scope.Sources(), EphemeralContainers: o.Scope.EphemeralContainers,
		Gaps: gapsOf(gaps),
	}
}

// sorted returns the names sorted and without duplicates.
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
