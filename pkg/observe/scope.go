package observe

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// Scope selects what is observed.
type Scope struct {
	// Namespaces to observe; none means all.
	Namespaces []string
	// ExcludedNamespaces are not observed, even if they are in Namespaces.
	ExcludedNamespaces []string
	// Selector of the labels of pods; nil selects all. A template is selected by the
	// labels that it gives its pods.
	Selector labels.Selector
	// Pods and Templates are the sources that are observed.
	Pods, Templates bool
	// EphemeralContainers includes debug containers.
	EphemeralContainers bool
}

// Includes reports whether objects of that namespace are observed.
func (s Scope) Includes(namespace string) bool {
	return !slices.Contains(s.ExcludedNamespaces, namespace) &&
		(len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, namespace))
}

// ListedNamespaces returns the namespaces to list one by one, sorted; none means the
// whole cluster.
func (s Scope) ListedNamespaces() []string {
	list := slices.DeleteFunc(slices.Clone(s.Namespaces), func(ns string) bool { return !s.Includes(ns) })
	slices.Sort(list)
	return slices.Compact(list)
}

// In returns the scope limited to the given namespaces; none means no limit.
func (s Scope) In(namespaces ...string) Scope {
	if len(namespaces) > 0 {
		s.Namespaces, s.ExcludedNamespaces = namespaces, nil
	}
	return s
}

// Partial reports whether something in the observed namespaces is not observed.
func (s Scope) Partial() bool { return s.Selector != nil || !s.Pods || !s.Templates }

// matches reports whether the selector selects pods with these labels.
func (s Scope) matches(set map[string]string) bool {
	return s.Selector == nil || s.Selector.Matches(labels.Set(set))
}

// includesSource reports whether records of that kind of source are observed.
func (s Scope) includesSource(r *Record) bool {
	if r.isPod() {
		return s.Pods
	}
	return s.Templates
}

// Names of the sources of a Scope.
const (
	SourcePods      = "pods"
	SourceTemplates = "templates"
)

// Sources returns the names of the sources that are observed.
func (s Scope) Sources() []string {
	sources := []string{}
	if s.Pods {
		sources = append(sources, SourcePods)
	}
	if s.Templates {
		sources = append(sources, SourceTemplates)
	}
	return sources
}

func (s Scope) sourceText() string { return strings.Join(s.Sources(), ",") }

// sorted returns the scope in its canonical form, independent of the order and
// repetition of flags.
func (s Scope) sorted() Scope {
	s.Namespaces = slices.Compact(slices.Sorted(slices.Values(s.Namespaces)))
	s.ExcludedNamespaces = slices.Compact(slices.Sorted(slices.Values(s.ExcludedNamespaces)))
	return s
}

// join returns the scope of two joined observations. It is an error if their
// selectors, sources or treatment of debug containers differ.
func (s Scope) join(o Scope) (Scope, error) {
	switch {
	case !slices.Equal(s.Sources(), o.Sources()):
		return Scope{}, fmt.Errorf("one was made with --source %s, another with %s: make them with the same one", s.sourceText(), o.sourceText())
	case s.SelectorText() != o.SelectorText():
		return Scope{}, fmt.Errorf("one was made with --selector %q, another with %q: make them with the same one", s.SelectorText(), o.SelectorText())
	case s.EphemeralContainers != o.EphemeralContainers:
		return Scope{}, fmt.Errorf("one was made with --ephemeral-containers, another without: make them in the same way")
	}
	joined := s
	if len(s.Namespaces) == 0 || len(o.Namespaces) == 0 {
		joined.Namespaces = nil
	} else {
		joined.Namespaces = slices.Concat(s.Namespaces, o.Namespaces)
	}
	joined.ExcludedNamespaces = slices.DeleteFunc(slices.Concat(s.ExcludedNamespaces, o.ExcludedNamespaces), func(ns string) bool {
		return s.Includes(ns) || o.Includes(ns)
	})
	return joined.sorted(), nil
}

// meet returns s limited to the namespaces of o.
func (s Scope) meet(o Scope) (Scope, error) {
	met := s
	met.ExcludedNamespaces = nil
	switch both := slices.Concat(s.Namespaces, o.Namespaces); {
	case len(both) == 0:
		met.ExcludedNamespaces = slices.Concat(s.ExcludedNamespaces, o.ExcludedNamespaces)
	default:
		met.Namespaces = slices.DeleteFunc(both, func(ns string) bool { return !s.Includes(ns) || !o.Includes(ns) })
		if len(met.Namespaces) == 0 {
			return Scope{}, fmt.Errorf("the observation has only the namespaces %s, none of which is selected", strings.Join(s.ListedNamespaces(), ", "))
		}
	}
	return met.sorted(), nil
}

// SelectorText returns the selector as text; empty if there is none.
func (s Scope) SelectorText() string {
	if s.Selector == nil {
		return ""
	}
	return s.Selector.String()
}
