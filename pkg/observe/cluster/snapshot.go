package cluster

import (
	"context"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"k8s.io/client-go/rest"
)

// Snapshot is the state of a cluster when it was listed.
type Snapshot struct {
	scope    observe.Scope
	interner *profile.Interner
	records  map[string][]*observe.Record // by namespace
	accounts observe.Accounts
	gaps     []observe.Gap
}

// List lists the objects of a cluster. It needs the permission to list them, and to get
// ReplicaSets and Jobs (see Scope). If progress is not nil, it is called with the
// number of objects listed so far; calls are not concurrent.
//
// Resources that are forbidden or not served are gaps. If the server is unreachable or
// does not know the user, or if ctx ends before all resources are listed, List returns
// an error.
func List(ctx context.Context, config *rest.Config, scope observe.Scope, progress func(resource string, n int)) (*Snapshot, error) {
	client, err := newClient(config, scope)
	if err != nil {
		return nil, err
	}
	defer client.close()
	s := &Snapshot{scope: scope, interner: &profile.Interner{}, records: map[string][]*observe.Record{}, accounts: observe.Accounts{}}
	seen, shared := &shapes{}, &records{}
	l := &listing{snapshot: s, pending: map[*lister]error{}, counts: counter{report: progress}}
	for _, namespace := range namespacesOf(scope) {
		pods := newPace(!scope.Pods)
		for _, r := range resourcesOf(scope) {
			l.add(&lister{client: client, resource: r, namespace: namespace, recorder: observe.Recorder{Scope: scope, Interner: s.interner}, shapes: seen, records: shared, count: true, pace: pods})
		}
	}
	if err := l.run(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(s.gaps, observe.Gap.Compare)
	return s, nil
}

// keep adds the result of a list.
func (s *Snapshot) keep(one *lister, all listed) {
	for _, i := range all.items {
		if i.Kind.Kind == accountKind {
			s.accounts[aggregate.Account{Namespace: i.Namespace, Name: i.Name}] = true
			continue
		}
		s.records[i.Namespace] = append(s.records[i.Namespace], i.Record)
	}
	if all.refusal != nil {
		s.gaps = append(s.gaps, one.gap(all.refusal))
	}
}

// missing returns the links that a record refers to and that have none, but for those asked
// for before.
func (s *Snapshot) missing(asked references) references {
	list := references{}
	for _, records := range s.records {
		for _, r := range records {
			if to, ok := linkOf(r); ok {
				list[to] = true
			}
		}
	}
	for _, records := range s.records {
		for _, r := range records {
			if isLink(r.Kind) {
				delete(list, reference{r.Namespace, r.Kind.Kind, r.Name})
			}
		}
	}
	maps.DeleteFunc(list, func(r reference, _ bool) bool { return asked[r] })
	return list
}

// Namespaces returns the namespaces of all listed objects, sorted. Some may have no
// pods and no templates.
func (s *Snapshot) Namespaces() []string { return slices.Sorted(maps.Keys(s.records)) }

// Observe returns the observation of the given namespaces; none means all.
func (s *Snapshot) Observe(namespaces ...string) *observe.Observation {
	return s.observe(func(string) {}, namespaces...)
}

// Take returns the observation of all namespaces, and leaves none in the snapshot: what
// was listed of a namespace and what was observed in it are not in memory both.
func (s *Snapshot) Take() *observe.Observation {
	return s.observe(func(namespace string) { delete(s.records, namespace) })
}

// observe observes the namespaces, which share nothing, several at once. It calls done
// after each; calls are not concurrent.
func (s *Snapshot) observe(done func(namespace string), namespaces ...string) *observe.Observation {
	in := slices.Compact(slices.Sorted(slices.Values(namespaces)))
	if len(in) == 0 {
		in = s.Namespaces()
	}
	obs := observe.Resolve(nil, s.accounts, s.interner, s.scope.In(namespaces...))
	for batch := range slices.Chunk(in, 2*runtime.GOMAXPROCS(0)) {
		parts := make([]*observe.Observation, len(batch))
		var all sync.WaitGroup
		for i, namespace := range batch {
			records := s.records[namespace]
			all.Go(func() { parts[i] = observe.Resolve(records, s.accounts, s.interner, obs.Scope) })
		}
		all.Wait()
		for i, namespace := range batch {
			obs.Members = append(obs.Members, parts[i].Members...)
			obs.UnknownOwners = append(obs.UnknownOwners, parts[i].UnknownOwners...)
			obs.Elsewhere += parts[i].Elsewhere
			done(namespace)
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
