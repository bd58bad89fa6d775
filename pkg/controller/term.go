package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	"k8s.io/klog/v2"
)

const (
	// checkEvery is the time between passes without a change, because another client
	// may have deleted ConfigMaps. Numbers of pods are brought up to date then.
	checkEvery = time.Minute
	// firstRetry is the time before a pass that did not succeed is repeated. It doubles
	// each time.
	firstRetry = 500 * time.Millisecond
	// maxDeferrals is how often a pass is deferred because of a transient gap while the
	// server responds, each time by at most maxDeferral: in all almost a minute, which
	// the watches may need to recover after an outage of the server.
	maxDeferrals = 9
	maxDeferral  = 10 * time.Second
)

// changes collects the namespaces that have changed.
type changes struct {
	mu         *sync.Mutex
	namespaces map[string]bool
	// signal has a value if there are changes.
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
	default: // it already has one
	}
}

// take returns and removes the collected namespaces.
func (c *changes) take() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.namespaces
	c.namespaces = map[string]bool{}
	return taken
}

// term is the time during which this replica leads.
type term struct {
	*Controller
	// due fires when the next pass is due, which is at the time at; zero if none is.
	due *time.Timer
	at  time.Time
	// last is the time when the last pass began.
	last time.Time
	// known has the entries of namespaces with current reports.
	known map[string]publish.Entry
	// shown has what was last rendered.
	shown map[string]shown
	// recount has the namespaces whose reports have other numbers of pods than there are,
	// and nothing else that has changed; numbers is true when these are due.
	recount map[string]bool
	numbers bool
	// everything is true if all reports must be rendered again.
	everything bool
	// notBefore is when a deferred pass is due: no other reason makes it earlier while
	// the gap is there.
	notBefore time.Time
	// gaps are the gaps of the last check.
	gaps string
	// lookAlikes are those of the last pass.
	lookAlikes []string
	// retries is the number of consecutive passes that did not succeed, deferrals that
	// of consecutive passes that were deferred.
	retries, deferrals int
}

// lead publishes until ctx is done. The first pass renders all reports, because earlier
// changes are unknown.
func (c *Controller) lead(ctx context.Context) {
	c.metrics.leader.Set(1)
	defer c.metrics.leader.Set(0)
	t := &term{Controller: c, due: time.NewTimer(0), at: time.Now(), everything: true, known: map[string]publish.Entry{}, shown: map[string]shown{}, recount: map[string]bool{}}
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
			t.numbers = true
			t.schedule(0)
		case <-retry.C:
			// Changed is called for objects, but not for gaps.
			if gaps := c.observer.Gaps(); signature(gaps) != t.gaps {
				if transient(gaps) == nil {
					t.notBefore = time.Time{}
				}
				t.schedule(0)
			}
		}
	}
}

// schedule schedules a pass after a duration, or later because of Debounce or a deferral.
// It does not change an earlier pass.
func (t *term) schedule(in time.Duration) {
	now := time.Now()
	at := now.Add(in)
	for _, soonest := range []time.Time{t.last.Add(t.options.Debounce), t.notBefore} {
		if at.Before(soonest) {
			at = soonest
		}
	}
	if t.at.IsZero() || at.Before(t.at) {
		t.at = at
		t.due.Reset(at.Sub(now))
	}
}

// publish runs a pass, or defers it because of a transient gap.
func (t *term) publish(ctx context.Context) {
	log := klog.FromContext(ctx)
	gaps := t.observer.Gaps()
	t.gaps = signature(gaps)
	if gap := transient(gaps); gap != nil {
		if in, ok := t.deferral(ctx); ok {
			log.Info("Waiting for a transient gap", "gap", gap.String())
			t.notBefore = time.Now().Add(in)
			t.schedule(in)
			return
		}
	}
	t.last, t.deferrals = time.Now(), 0
	t.invalidate(t.changes.take())
	p := t.options.Publish.NewPass(showing{t.observer, t.shown})
	p.Known = t.known
	r, err := t.writer.Publish(ctx, p)
	if ctx.Err() != nil {
		return // no longer the leader
	}
	for namespace, problem := range r.Failed {
		log.Error(problem, "Publishing a report", "namespace", namespace)
	}
	t.metrics.observe(r, err, time.Since(t.last))
	if !slices.Equal(r.LookAlikes, t.lookAlikes) {
		t.lookAlikes = r.LookAlikes
		log.Info("ConfigMaps of another client have the labels of reports: read reports with advisor get-report", "configMaps", r.LookAlikes)
	}
	if r.Writes.Created+r.Writes.Configured+r.Writes.Deleted > 0 {
		log.Info("Published", "reports", len(r.Index.Reports), "created", r.Writes.Created,
			"configured", r.Writes.Configured, "unchanged", r.Writes.Unchanged, "deleted", r.Writes.Deleted)
	}
	switch {
	case err != nil:
		// The next pass finds what was written before the error.
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

// invalidate forgets the reports that must be rendered again. Where only the numbers of
// pods have changed, as while pods are replaced, that can wait: each report that is
// written makes work for all who watch them.
func (t *term) invalidate(changed map[string]bool) {
	for namespace := range changed {
		delete(t.recount, namespace)
		if _, known := t.known[namespace]; !known {
			continue
		}
		now, before := shownOf(t.observer.Observe(publish.NamespacesIn(namespace)...)), t.shown[namespace]
		switch {
		case now.digest != before.digest:
			delete(t.known, namespace)
		case !slices.Equal(now.pods, before.pods):
			t.recount[namespace] = true
		}
	}
	if t.numbers {
		for namespace := range t.recount {
			delete(t.known, namespace)
		}
		clear(t.recount)
		t.numbers = false
	}
	if t.everything {
		clear(t.known)
		clear(t.shown)
		clear(t.recount)
	}
}

// showing is a source that remembers what was rendered.
type showing struct {
	publish.Source
	shown map[string]shown
}

// shown identifies what the report of an observation shows.
type shown struct {
	// digest is that of the observation, and pods has the numbers of pods of its members.
	digest observe.Digest
	pods   []int
}

func shownOf(obs *observe.Observation) shown {
	s := shown{digest: obs.Digest()}
	for _, m := range obs.Members {
		s.pods = append(s.pods, m.Pods)
	}
	return s
}

// Observe implements publish.Source.
func (s showing) Observe(namespaces ...string) *observe.Observation {
	obs := s.Source.Observe(namespaces...)
	s.shown[strings.Join(namespaces, ",")] = shownOf(obs) // one, or none
	return obs
}

// retry schedules another pass, each time later.
func (t *term) retry() {
	t.schedule(min(firstRetry<<min(t.retries, 20), t.options.Resync))
	t.retries++
}

// deferral returns how long to defer a pass; false means not any more. While the server
// does not respond, there is no limit: nothing could be written.
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

// signature identifies gaps by what is published of them: errors may differ for the same
// problem.
func signature(gaps []observe.Gap) string {
	var text strings.Builder
	for _, g := range gaps {
		fmt.Fprintf(&text, "%s: %s\n", g.Where(), g.Reason)
	}
	return text.String()
}

// transient returns a transient gap, or nil.
func transient(gaps []observe.Gap) *observe.Gap {
	for _, g := range gaps {
		if g.Reason.Transient() {
			return &g
		}
	}
	return nil
}
