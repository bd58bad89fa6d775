package controller

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	"k8s.io/klog/v2"
)

const (
	// checkEvery is how often the published ConfigMaps are checked without a change:
	// another client may have deleted some.
	checkEvery = time.Minute
	// firstRetry is how soon a pass that did not succeed is repeated; each further
	// time takes twice as long.
	firstRetry = 500 * time.Millisecond
	// maxDeferrals is how often a pass waits for an observation to become whole while
	// the server answers, for at most maxDeferral each: most of a minute, which is how
	// long it may take until everything is watched again after the server was away.
	maxDeferrals = 9
	maxDeferral  = 10 * time.Second
)

// changes collects the namespaces that have changed.
type changes struct {
	mu         *sync.Mutex
	namespaces map[string]bool
	// signal says that there are some.
	signal chan struct{}
}

func newChanges() changes {
	return changes{&sync.Mutex{}, map[string]bool{}, make(chan struct{}, 1)}
}

func (c *changes) add(namespace string) {
	c.mu.Lock()
	c.namespaces[namespace] = true
	c.mu.Unlock()
	select {
	case c.signal <- struct{}{}:
	default: // it was said already
	}
}

// take returns what was collected, and begins anew.
func (c *changes) take() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.namespaces
	c.namespaces = map[string]bool{}
	return taken
}

// term is the time in which this replica leads.
type term struct {
	*Controller
	// due fires when the next pass is due, at the time at; the zero time means that
	// none is.
	due *time.Timer
	at  time.Time
	// last is when the last pass began.
	last time.Time
	// known has the entries of the namespaces that are up to date.
	known map[string]publish.Entry
	// everything is set when every report is to be made again.
	everything bool
	// gaps are what could not be observed at the last check.
	gaps string
	// retries counts passes that did not succeed, one after the other, and deferrals
	// those that were put off.
	retries, deferrals int
}

// lead publishes until ctx is done. It begins with everything: what happened
// before is not known.
func (c *Controller) lead(ctx context.Context) {
	c.metrics.leader.Set(1)
	defer c.metrics.leader.Set(0)
	t := &term{Controller: c, due: time.NewTimer(0), at: time.Now(), everything: true, known: map[string]publish.Entry{}}
	defer t.due.Stop()
	resync, check, retry := time.NewTicker(c.options.Resync), time.NewTicker(checkEvery), time.NewTicker(c.options.Lease.Retry)
	defer resync.Stop()
	defer check.Stop()
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.due.C:
			t.at = time.Time{}
			t.publish(ctx)
		case <-c.changes.signal:
			t.schedule(c.options.Debounce)
		case <-resync.C:
			t.everything = true
			t.schedule(0)
		case <-check.C:
			t.schedule(0)
		case <-retry.C:
			// Of what cannot be observed nobody tells, unlike of objects.
			if signature(c.observer.Gaps()) != t.gaps {
				t.schedule(0)
			}
		}
	}
}

// schedule has a pass done after a time, or later, if Debounce wants it. A pass that
// is due before stays so.
func (t *term) schedule(in time.Duration) {
	now := time.Now()
	at := now.Add(in)
	if soonest := t.last.Add(t.options.Debounce); at.Before(soonest) {
		at = soonest
	}
	if t.at.IsZero() || at.Before(t.at) {
		t.at = at
		t.due.Reset(at.Sub(now))
	}
}

// publish does a pass, or puts it off while the observation is not whole.
func (t *term) publish(ctx context.Context) {
	log := klog.FromContext(ctx)
	gaps := t.observer.Gaps()
	t.gaps = signature(gaps)
	if gap := transient(gaps); gap != nil {
		if in, ok := t.deferral(ctx); ok {
			log.Info("Waiting for the observation to be whole", "cause", gap.String())
			t.schedule(in)
			return
		}
	}
	t.last, t.deferrals = time.Now(), 0
	for namespace := range t.changes.take() {
		delete(t.known, namespace)
	}
	if t.everything {
		clear(t.known)
	}
	p := t.options.Publish.NewPass(t.observer)
	p.Known = t.known
	r, err := t.writer.Publish(ctx, p)
	if ctx.Err() != nil {
		return // no longer the leader
	}
	for namespace, problem := range r.Failed {
		log.Error(problem, "Publishing a report", "namespace", namespace)
	}
	t.metrics.observe(r, err, time.Since(t.last))
	if r.Writes.Created+r.Writes.Configured+r.Writes.Deleted > 0 {
		log.Info("Published", "reports", len(r.Index.Reports), "created", r.Writes.Created,
			"configured", r.Writes.Configured, "unchanged", r.Writes.Unchanged, "deleted", r.Writes.Deleted)
	}
	switch {
	case err != nil:
		// What was written before the failure is found again by the next pass.
		log.Error(err, "Publishing")
		t.retry()
	case r.Problem() != "":
		lines := r.Lines()
		log.Info("Not everything is published", "problem", r.Problem(), "first", lines[:min(len(lines), 10)])
		t.known, t.everything = r.Entries, false
		t.retry()
	default:
		t.known, t.everything, t.retries = r.Entries, false, 0
	}
}

// retry has the pass done again, later each time.
func (t *term) retry() {
	t.schedule(min(firstRetry<<min(t.retries, 20), t.options.Resync))
	t.retries++
}

// deferral returns how long to wait for the observation to be whole; false means
// that it was waited for long enough. A server that does not answer is waited for
// as long as it takes: nothing could be written.
func (t *term) deferral(ctx context.Context) (time.Duration, bool) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if t.options.Ping(ctx) != nil {
		t.deferrals = 0
		return t.options.Lease.Retry, true
	}
	if t.deferrals == maxDeferrals {
		return 0, false
	}
	t.deferrals++
	return min(firstRetry<<(t.deferrals-1), maxDeferral), true
}

// signature tells gaps apart by what is published of them: a server's words may
// change without a change.
func signature(gaps []observe.Gap) string {
	var text strings.Builder
	for _, g := range gaps {
		fmt.Fprintf(&text, "%s: %s\n", g.Where(), g.Reason)
	}
	return text.String()
}

// transient returns a gap that may be gone soon, unlike one that is a refusal.
func transient(gaps []observe.Gap) *observe.Gap {
	for _, g := range gaps {
		if g.Reason.Transient() {
			return &g
		}
	}
	return nil
}
