package cluster

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// attempts is the number of attempts to list a resource if the server responds with
// transient errors.
const attempts = 5

// listing lists the objects of a scope.
type listing struct {
	scope observe.Scope
	// found is called with each namespace that is complete. Calls are concurrent.
	found    func(namespace string, o *observe.Observation)
	interner *profile.Interner
	pace     *pace
	listers  []*lister
	counts   counter

	mu sync.Mutex
	// pending are the listers in progress, with the last error of each.
	pending map[*lister]error
	// err is the first error that ended the listing.
	err  error
	gaps []observe.Gap
}

func newListing(client *client, scope observe.Scope, progress func(resource string, n int), sorted bool, found func(string, *observe.Observation)) *listing {
	l := &listing{scope: scope, found: found, interner: &profile.Interner{}, pending: map[*lister]error{}, counts: counter{report: progress}}
	l.pace = newPace(sorted, l.take)
	seen := &shapes{}
	for _, namespace := range namespacesOf(scope) {
		var pods *lister
		for _, r := range resourcesOf(scope) {
			one := &lister{client: client, resource: r, namespace: namespace, recorder: observe.Recorder{Scope: scope, Interner: l.interner}, shapes: seen, pace: l.pace, leader: pods}
			one.progress = func(n int) { l.counts.set(one, n) }
			if r.kind == podResource.kind {
				pods = one
			}
			l.listers = append(l.listers, one)
			l.begin(one)
		}
	}
	return l
}

func (l *listing) begin(one *lister) {
	l.pending[one] = nil
	l.pace.begin(one)
}

// take observes a namespace that is complete.
func (l *listing) take(namespace string, all *gathered) {
	if len(all.records) > 0 {
		l.found(namespace, observe.Resolve(all.records, all.accounts, l.interner, l.scope))
	}
}

// run lists all resources concurrently, and then the links that are missing: the ReplicaSet
// of a rollout that began meanwhile, and what is referred to only by a link itself.
func (l *listing) run(ctx context.Context) error {
	work, stop := context.WithCancel(ctx)
	defer stop()
	l.all(work, stop, l.listers)
	asked := references{}
	for missing := l.pace.again(asked); len(missing) > 0 && l.err == nil; missing = l.pace.again(asked) {
		maps.Copy(asked, missing)
		l.all(work, stop, l.again(missing))
	}
	if l.err != nil && ctx.Err() != nil {
		return l.unfinished(context.Cause(ctx))
	}
	if l.err == nil {
		l.pace.rest()
	}
	return l.err
}

// again prepares to list links once more, of which some are missing, and returns who does.
func (l *listing) again(missing references) []*lister {
	var listers []*lister
	for _, one := range l.listers {
		if !one.resource.metadata || one.refused || !missing.ofKind(one.resource.kind) {
			continue
		}
		one.reached = ""
		one.recorder.Scope.Templates = false // those have been listed
		l.begin(one)
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

// one lists one resource, and notes whether that is a gap.
func (l *listing) one(ctx context.Context, one *lister, stop func()) {
	all, err := l.retry(ctx, one)
	if err == nil || apierror.Of(err).Refusal() {
		l.pace.end(one, all.items)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil && all.refusal != nil:
		l.gaps = append(l.gaps, one.gap(all.refusal))
	case err == nil:
	case apierror.Of(err).Refusal():
		one.refused = true
		l.gaps = append(l.gaps, one.gap(err))
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
