// Package controller keeps published reports current.
//
// In go an observer that tells which namespaces changed, and a writer; nothing
// comes out but the state of the cluster (package publish), and what is served
// over HTTP (see Handler). Laws, each tested:
//   - Level-triggered: a pass publishes what is observed then, however many
//     changes led to it, and a cluster without changes is not written to.
//   - Of several replicas at most one publishes, the one that holds the lease.
//     Asked to stop, it gives the lease back when it has ended its work, never
//     before.
//   - Run returns when everything that it started has ended.
package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// Observer is what the controller looks through.
type Observer interface {
	publish.Source
	// Run observes until ctx is done.
	Run(ctx context.Context)
	// WaitForSync waits until everything was seen once.
	WaitForSync(ctx context.Context) error
	// Pods, Profiles and Watches are for the metrics.
	Pods() int
	Profiles() int
	Watches() int
}

// Options say how the controller works.
type Options struct {
	Publish publish.Options
	// Debounce is how long a change waits for others.
	Debounce time.Duration
	// Resync is how often everything is looked at again without a change.
	Resync time.Duration
	// SyncTimeout is how long the first look may take; 0 means no limit.
	SyncTimeout time.Duration
	// Lease says who leads.
	Lease Lease
	// Ping asks the API server for a sign of life.
	Ping func(context.Context) error
}

// Lease is the lock that the leader holds, and its times.
type Lease struct {
	Lock resourcelock.Interface
	// Duration is how long the lease of a leader that is gone still counts;
	// Deadline is when a leader that cannot renew it gives up, and Retry how
	// often either tries.
	Duration, Deadline, Retry time.Duration
}

// Controller keeps the reports of one report namespace.
type Controller struct {
	observer Observer
	writer   *publish.Writer
	options  Options
	metrics  *metrics
	synced   atomic.Bool
	// queue of the term that this replica leads; nil while it does not.
	queue atomic.Pointer[queue]
}

type queue = workqueue.TypedRateLimitingInterface[string]

// Keys of the queue that are no namespaces.
const (
	// everything is to be made again.
	everything = "/everything"
	// again is another try of what did not work.
	again = "/again"
	// look is whether what cannot be observed has changed: of that, unlike of
	// objects, nobody tells.
	look = "/look"
)

// patience is how often a pass waits for an observation to become whole while the
// server answers: about a minute of tries, which is how long it may take until
// everything is watched again after the server was away.
const patience = 8

// New returns a controller. Its Changed method wants to be called for changes.
func New(observer Observer, writer *publish.Writer, o Options) *Controller {
	c := &Controller{observer: observer, writer: writer, options: o}
	c.metrics = newMetrics(observer, o.Publish.Level)
	return c
}

// Changed notes that a namespace has to be looked at.
func (c *Controller) Changed(namespace string) {
	if q := c.queue.Load(); q != nil {
		(*q).AddAfter(c.key(namespace), c.options.Debounce)
	}
}

// key returns the report that shows a namespace.
func (c *Controller) key(namespace string) string {
	if c.options.Publish.Level == aggregate.ByCluster {
		return ""
	}
	return namespace
}

// Run works until ctx is done; that is no error.
func (c *Controller) Run(ctx context.Context) error {
	observing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	group.Go(func() { c.observer.Run(observing) })
	if err := c.waitForSync(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // asked to stop
		}
		return err
	}
	c.synced.Store(true)
	for ctx.Err() == nil {
		if err := c.campaign(ctx); err != nil {
			return err
		}
	}
	return nil
}

// waitForSync waits for the first look at everything. A server that cannot be
// reached yet is waited for.
func (c *Controller) waitForSync(ctx context.Context) error {
	if c.options.SyncTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.options.SyncTimeout)
		defer cancel()
	}
	for {
		err := c.observer.WaitForSync(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		klog.FromContext(ctx).Error(err, "Waiting for the first observation")
		select {
		case <-time.After(c.options.Lease.Retry):
		case <-ctx.Done():
		}
	}
}

// campaign waits for the lease, leads while it lasts, and gives it back.
func (c *Controller) campaign(ctx context.Context) error {
	// The lease outlives ctx: it is given back when the work has ended.
	holding, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	started := make(chan context.Context, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: c.options.Lease.Lock, LeaseDuration: c.options.Lease.Duration,
		RenewDeadline: c.options.Lease.Deadline, RetryPeriod: c.options.Lease.Retry,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { started <- ctx },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("preparing leader election: %w", err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		elector.Run(holding)
	}()
	select {
	case <-ctx.Done():
	case <-stopped:
	case leading := <-started:
		leading, stop := context.WithCancel(leading)
		unlink := context.AfterFunc(ctx, stop)
		c.lead(leading) //nolint:contextcheck // it comes from the elector, which has it from holding
		unlink()
		stop()
	}
	release()
	<-stopped
	return nil
}

// lead publishes until ctx is done. It begins with everything: what happened
// before, nobody knows.
func (c *Controller) lead(ctx context.Context) {
	q := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](500*time.Millisecond, c.options.Resync))
	shutDown := context.AfterFunc(ctx, q.ShutDown)
	defer shutDown()
	c.queue.Store(&q)
	defer c.queue.Store(nil)
	c.metrics.leader.Set(1)
	defer c.metrics.leader.Set(0)
	q.Add(everything)
	known, gaps := map[string]report.Entry{}, ""
	for {
		keys := batch(q)
		if len(keys) == 0 {
			return
		}
		q.AddAfter(look, c.options.Lease.Retry)
		now := fmt.Sprint(c.observer.Gaps())
		if now != gaps || !slices.Equal(keys, []string{look}) {
			gaps = now
			for _, key := range keys {
				delete(known, key)
				if key == everything {
					clear(known)
				}
			}
			known = c.pass(ctx, q, known)
		}
		for _, key := range keys {
			q.Done(key)
		}
	}
}

// batch returns all keys that are due, or none when the queue is shut down. Only
// one goroutine takes keys, so that what is counted is there to be taken.
func batch(q queue) []string {
	var keys []string
	for len(keys) == 0 || q.Len() > 0 {
		key, shutDown := q.Get()
		if shutDown {
			return nil
		}
		keys = append(keys, key)
	}
	return keys
}

// pass publishes once and returns what is known to be up to date.
func (c *Controller) pass(ctx context.Context, q queue, known map[string]report.Entry) map[string]report.Entry {
	log := klog.FromContext(ctx)
	if cause := passing(c.observer.Gaps()); cause != nil && c.wait(ctx, q) {
		log.Info("Waiting for the observation to be whole", "cause", cause.Error())
		return known
	}
	p := c.options.Publish.NewPass(c.observer)
	p.Known = known
	started := time.Now()
	r, err := c.writer.Publish(ctx, p)
	if ctx.Err() != nil {
		return nil // no longer the leader
	}
	for namespace, problem := range r.Failed {
		log.Error(problem, "Publishing a report", "namespace", namespace)
	}
	c.metrics.observe(r, err, time.Since(started))
	if r.Writes.Created+r.Writes.Configured+r.Writes.Deleted > 0 {
		log.Info("Published", "reports", len(r.Index.Reports), "created", r.Writes.Created,
			"configured", r.Writes.Configured, "unchanged", r.Writes.Unchanged, "deleted", r.Writes.Deleted)
	}
	switch {
	case err != nil:
		log.Error(err, "Publishing")
		q.AddRateLimited(again)
		// What was written before the failure is found again by the next pass.
		return known
	case r.Problem() != "":
		lines := r.Lines()
		log.Info("Not everything is published", "problem", r.Problem(), "first", lines[:min(len(lines), 10)])
		q.AddRateLimited(again)
	default:
		q.Forget(again)
	}
	q.AddAfter(everything, c.options.Resync)
	return r.Entries
}

// wait has the pass done later, unless it was put off too often. A server that
// does not answer is waited for as long as it takes: nothing could be written.
func (c *Controller) wait(ctx context.Context, q queue) bool {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	switch err := c.options.Ping(ctx); {
	case err != nil:
		q.Forget(again)
		q.AddAfter(again, c.options.Lease.Retry)
	case q.NumRequeues(again) < patience:
		q.AddRateLimited(again)
	default:
		return false
	}
	return true
}

// passing returns a gap that may be gone soon, unlike one that is a refusal.
func passing(gaps []observe.Gap) error {
	for _, g := range gaps {
		if !apierrors.IsForbidden(g.Err) && !apierrors.IsNotFound(g.Err) && !apierrors.IsMethodNotSupported(g.Err) {
			return errors.New(g.String())
		}
	}
	return nil
}
