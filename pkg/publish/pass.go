package publish

import (
	"fmt"
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
	// Observe is what the source observes.
	Observe observe.Options
	Level   aggregate.Level
	Engines []generate.Engine
	// AllowPartial lets a report be made where something cannot be observed;
	// without it, the older report stays.
	AllowPartial bool
}

// NewPass returns the pass that publishes what the source sees.
func (o Options) NewPass(source Source) Pass {
	p := Pass{
		Index:      report.Index{Schema: report.Schema, Level: o.Level, Coverage: o.coverage(source.Gaps())},
		Namespaces: source.Namespaces(),
		Render:     func(namespace string) (report.Bundle, error) { return o.render(source, namespace) },
		Unread: func(namespace string) string {
			if o.AllowPartial || !o.covers(namespace) {
				return ""
			}
			return whyUnread(source.Gaps(scope(namespace)...))
		},
	}
	if o.Level == aggregate.ByCluster {
		p.Namespaces = []string{""}
	}
	return p
}

// scope is what to observe for a report.
func scope(namespace string) []string {
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
	return !slices.Contains(o.Observe.ExcludeNamespaces, namespace) &&
		(len(o.Observe.Namespaces) == 0 || slices.Contains(o.Observe.Namespaces, namespace))
}

func (o Options) render(source Source, namespace string) (report.Bundle, error) {
	obs := source.Observe(scope(namespace)...)
	if why := whyUnread(obs.Gaps); why != "" && !o.AllowPartial {
		return report.Bundle{}, fmt.Errorf("observing %s", why)
	}
	if obs.Pods+obs.Templates == 0 && namespace != "" {
		return report.Bundle{Entry: report.Entry{Namespace: namespace}}, nil
	}
	results := generate.Run(o.Engines, obs.Members, o.Level)
	return report.Pack(namespace, report.New(obs, o.Level, results, o.Observe.Profile.EphemeralContainers), results)
}

func (o Options) coverage(gaps []observe.Gap) report.Coverage {
	c := report.Coverage{
		Namespaces: sorted(o.Observe.Namespaces), ExcludedNamespaces: sorted(o.Observe.ExcludeNamespaces),
		EphemeralContainers: o.Observe.Profile.EphemeralContainers,
	}
	if o.Observe.Selector != nil {
		c.Selector = o.Observe.Selector.String()
	}
	if o.Observe.Pods {
		c.Sources = append(c.Sources, "pods")
	}
	if o.Observe.Templates {
		c.Sources = append(c.Sources, "templates")
	}
	for _, g := range gaps {
		c.Gaps = append(c.Gaps, report.Gap{Namespace: g.Namespace, Resource: g.Resource, Message: g.Err.Error()})
	}
	return c
}

// sorted returns the names as they are published: the order and repetition of
// flags leave no trace.
func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// whyUnread says in one line what the gaps are, or nothing if there are none.
func whyUnread(gaps []observe.Gap) string {
	switch len(gaps) {
	case 0:
		return ""
	case 1:
		return gaps[0].String()
	default:
		return fmt.Sprintf("%s, and %d more", gaps[0], len(gaps)-1)
	}
}
