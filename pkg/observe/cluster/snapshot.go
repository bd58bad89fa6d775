package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"k8s.io/client-go/rest"
)

// Snapshot is the state of a cluster when it was listed.
type Snapshot struct {
	scope observe.Scope
	found map[string]*observe.Observation // by namespace
	gaps  []observe.Gap
}

// List lists the objects of a cluster. It needs the permission to list them, and to get
// ReplicaSets and Jobs (see Scope). If progress is not nil, it is called with the
// number of objects listed so far; calls are not concurrent.
//
// Resources that are forbidden or not served are gaps. If the server is unreachable or
// does not know the user, or if ctx ends before all resources are listed, List returns
// an error.
func List(ctx context.Context, config *rest.Config, scope observe.Scope, progress func(resource string, n int)) (*Snapshot, error) {
	s := &Snapshot{scope: scope}
	var mu sync.Mutex
	rest, err := Each(ctx, config, scope, progress, func() func(string, *observe.Observation) {
		s.found = map[string]*observe.Observation{}
		return func(namespace string, found *observe.Observation) {
			mu.Lock()
			defer mu.Unlock()
			s.found[namespace] = found
		}
	})
	if err != nil {
		return nil, err
	}
	s.gaps = rest.Gaps
	return s, nil
}

// Each is List, but calls take with the observation of each namespace, without gaps, as
// soon as it is complete: in any order, and several at once. It returns the observation of
// all of them without what was taken; only then, and without an error, is that all there
// is. begin returns take. It is called again if everything has to be listed anew: then what
// was taken is void.
func Each(ctx context.Context, config *rest.Config, scope observe.Scope, progress func(resource string, n int), begin func() (take func(namespace string, found *observe.Observation))) (*observe.Observation, error) {
	client, err := newClient(config, scope)
	if err != nil {
		return nil, err
	}
	defer client.close()
	l := newListing(client, scope, progress, true, begin())
	if err = l.run(ctx); errors.Is(err, errUnsorted) {
		l = newListing(client, scope, progress, false, begin())
		err = l.run(ctx)
	}
	if err != nil {
		return nil, err
	}
	rest := observe.Resolve(nil, nil, nil, scope)
	rest.Gaps = slices.SortedFunc(slices.Values(l.gaps), observe.Gap.Compare)
	return rest, nil
}

// Namespaces returns the namespaces of all listed objects, sorted. Some may have no
// pods and no templates.
func (s *Snapshot) Namespaces() []string { return slices.Sorted(maps.Keys(s.found)) }

// Observe returns the observation of the given namespaces; none means all.
func (s *Snapshot) Observe(namespaces ...string) *observe.Observation {
	in := slices.Compact(slices.Sorted(slices.Values(namespaces)))
	if len(in) == 0 {
		in = s.Namespaces()
	}
	obs := observe.Resolve(nil, nil, nil, s.scope.In(namespaces...))
	for _, namespace := range in {
		if one := s.found[namespace]; one != nil {
			obs.Members = append(obs.Members, one.Members...)
			obs.UnknownOwners = append(obs.UnknownOwners, one.UnknownOwners...)
			obs.Elsewhere += one.Elsewhere
		}
	}
	obs.Gaps = s.Gaps(namespaces...)
	return obs
}

// Gaps returns the gaps in the given namespaces, sorted; none means all.
func (s *Snapshot) Gaps(namespaces ...string) []observe.Gap { return gapsIn(s.gaps, namespaces) }

// gapsIn returns the gaps in one of the namespaces; none means all.
func gapsIn(gaps []observe.Gap, namespaces []string) []observe.Gap {
	return slices.DeleteFunc(slices.Clone(gaps), func(g observe.Gap) bool {
		return len(namespaces) > 0 && g.Namespace != "" && !slices.Contains(namespaces, g.Namespace)
	})
}
