package observe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"k8s.io/apimachinery/pkg/labels"
)

// Scope says what is observed.
type Scope struct {
	// Namespaces to observe; none means all.
	Namespaces []string
	// ExcludedNamespaces are not observed, also where Namespaces names them.
	ExcludedNamespaces []string
	// Selector keeps the pods and templates whose labels match; nil keeps all.
	// A template is judged by the labels it gives its pods.
	Selector labels.Selector
	// Pods and Templates are the sources that are observed.
	Pods, Templates bool
	// EphemeralContainers makes debug containers count like any other.
	EphemeralContainers bool
}

// Includes reports whether objects of that namespace are observed.
func (s Scope) Includes(namespace string) bool {
	return !slices.Contains(s.ExcludedNamespaces, namespace) &&
		(len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, namespace))
}

// ListedNamespaces returns the namespaces that are asked for one by one, sorted;
// none means all of the cluster.
func (s Scope) ListedNamespaces() []string {
	list := slices.DeleteFunc(slices.Clone(s.Namespaces), func(ns string) bool { return !s.Includes(ns) })
	slices.Sort(list)
	return slices.Compact(list)
}

// In returns the scope in the given namespaces alone; none leaves it as it is.
func (s Scope) In(namespaces ...string) Scope {
	if len(namespaces) > 0 {
		s.Namespaces, s.ExcludedNamespaces = namespaces, nil
	}
	return s
}

// Partial reports whether something in the observed namespaces is not observed.
func (s Scope) Partial() bool { return s.Selector != nil || !s.Pods || !s.Templates }

func (s Scope) profile() profile.Options {
	return profile.Options{EphemeralContainers: s.EphemeralContainers}
}

// matches reports whether the selector keeps pods with these labels.
func (s Scope) matches(set map[string]string) bool {
	return s.Selector == nil || s.Selector.Matches(labels.Set(set))
}

// includesSource reports whether records like that one are observed.
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

// sorted returns the scope as it is written: the order and repetition of flags
// leave no trace.
func (s Scope) sorted() Scope {
	s.Namespaces = slices.Compact(slices.Sorted(slices.Values(s.Namespaces)))
	s.ExcludedNamespaces = slices.Compact(slices.Sorted(slices.Values(s.ExcludedNamespaces)))
	return s
}

// join returns what is observed by either scope. Selectors and sources can only
// be joined where they are the same; debug containers too.
func (s Scope) join(o Scope) (Scope, error) {
	switch {
	case !slices.Equal(s.Sources(), o.Sources()):
		return Scope{}, fmt.Errorf("one was made from %v, another one from %v: make them with the same --source", s.Sources(), o.Sources())
	case s.SelectorText() != o.SelectorText():
		return Scope{}, fmt.Errorf("one was made with the selector %q, another one with %q: make them with the same --selector", s.SelectorText(), o.SelectorText())
	case s.EphemeralContainers != o.EphemeralContainers:
		return Scope{}, fmt.Errorf("one was made with debug containers, another one without: make them with the same --ephemeral-containers")
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

// meet returns s in the namespaces that o includes as well.
func (s Scope) meet(o Scope) (Scope, error) {
	met := s
	met.ExcludedNamespaces = nil
	switch both := slices.Concat(s.Namespaces, o.Namespaces); {
	case len(both) == 0:
		met.ExcludedNamespaces = slices.Concat(s.ExcludedNamespaces, o.ExcludedNamespaces)
	default:
		met.Namespaces = slices.DeleteFunc(both, func(ns string) bool { return !s.Includes(ns) || !o.Includes(ns) })
		if len(met.Namespaces) == 0 {
			return Scope{}, fmt.Errorf("the observation is of the namespaces %s, and none of them is asked for", strings.Join(s.ListedNamespaces(), ", "))
		}
	}
	return met.sorted(), nil
}

// SelectorText returns the selector as it is written; empty if there is none.
func (s Scope) SelectorText() string {
	if s.Selector == nil {
		return ""
	}
	return s.Selector.String()
}
