package cluster

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
)

// attempts is the number of attempts to list a resource if the server responds with
// transient errors.
const attempts = 5

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

// listing lists a snapshot.
type listing struct {
	snapshot *Snapshot
	listers  []*lister
	counts   counter

	mu sync.Mutex
	// pending are the listers in progress, with the last error of each.
	pending map[*lister]error
	// err is the first error that ended the listing.
	err error
}

func (l *listing) add(one *lister) {
	one.progress = func(n int) { l.counts.set(one, n) }
	l.listers = append(l.listers, one)
	l.pending[one] = nil
}

// run lists all resources concurrently, and then the links that are missing: the ReplicaSet
// of a rollout that began meanwhile, and what is referred to only by a link itself.
func (l *listing) run(ctx context.Context) error {
	work, stop := context.WithCancel(ctx)
	defer stop()
	l.all(work, stop, l.listers)
	asked := references{}
	for missing := l.snapshot.missing(asked); len(missing) > 0 && l.err == nil; missing = l.snapshot.missing(asked) {
		maps.Copy(asked, missing)
		l.all(work, stop, l.again(missing))
	}
	if l.err != nil && ctx.Err() != nil {
		return l.unfinished(context.Cause(ctx))
	}
	return l.err
}

// again prepares to list links once more, of which some are missing, and returns who does.
func (l *listing) again(missing references) []*lister {
	var listers []*lister
	ahead := &pace{referred: missing, done: true}
	for _, one := range l.listers {
		if !one.resource.metadata || one.refused || !missing.ofKind(one.resource.kind) {
			continue
		}
		one.pace = ahead
		one.recorder.Scope.Templates = false // those have been listed
		l.pending[one] = nil
		listers = append(listers, one)
	}
	return listers
}

func (l *listing) all(ctx context.Context, stop func(), listers []*lister) {
	var all sync.WaitGroup
	for _, one := range listers {
		all.Go(func() { l.one(ctx, one, stop) })
	}
	all.Wait()
}

// one lists one resource and adds it to the snapshot.
func (l *listing) one(ctx context.Context, one *lister, stop func()) {
	all, err := l.retry(ctx, one)
	if one.resource.kind == podResource.kind {
		one.pace.finish()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.snapshot.keep(one, all)
	case apierror.Of(err).Refusal():
		one.refused = true
		l.snapshot.gaps = append(l.snapshot.gaps, one.gap(err))
	default:
		if l.err == nil {
			l.err = fmt.Errorf("listing %s: %w", one, err)
		}
		stop()
		return
	}
	delete(l.pending, one)
}

// retry lists a resource, and lists it again after transient errors.
func (l *listing) retry(ctx context.Context, one *lister) (listed, error) {
	for attempt := 1; ; attempt++ {
		all, err := one.list(ctx)
		if err == nil || attempt == attempts || !retriable(err) || ctx.Err() != nil {
			return all, err
		}
		l.mu.Lock()
		l.pending[one] = err
		l.mu.Unlock()
		delay := time.Duration(attempt) * time.Second
		if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
			delay = time.Duration(seconds) * time.Second
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return listed{}, err
		}
	}
}

// retriable reports whether a first list may succeed soon: the server responded with a
// transient error or not in time, or the connection was lost.
func retriable(err error) bool {
	reason := apierror.Of(err)
	return reason.Transient() && reason != apierror.Unreachable
}

// unfinished returns an error with the resources that were not listed when ctx ended.
func (l *listing) unfinished(cause error) error {
	var names []string
	var last error
	for _, one := range l.listers {
		if err, pending := l.pending[one]; pending {
			names = append(names, one.String())
			last = cmp.Or(err, last)
		}
	}
	return errUnfinished(names, cause, last)
}

// errUnfinished returns the error of resources that were not listed because of cause.
// last, if not nil, is the error of one of them: all would make a long line.
func errUnfinished(names []string, cause, last error) error {
	err := fmt.Errorf("listing %s: %w", strings.Join(names, ", "), cause)
	if last != nil {
		err = fmt.Errorf("%w; the last error was: %v", err, last) //nolint:errorlint // it is not the cause
	}
	return err
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

// counter adds up the objects listed per resource.
type counter struct {
	report func(resource string, n int) // may be nil

	mu     sync.Mutex
	counts map[*lister]int
}

func (c *counter) set(one *lister, n int) {
	if c.report == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[*lister]int{}
	}
	c.counts[one] = n
	total := 0
	for other, n := range c.counts {
		if other.resource.GroupResource() == one.resource.GroupResource() {
			total += n
		}
	}
	c.report(one.resource.String(), total)
}
