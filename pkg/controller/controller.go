// Package controller keeps published reports current.
//
// An observer that tells which namespaces changed, and a writer go in; nothing
// comes out but the state of the cluster (package publish), and what is served
// over HTTP (see Handler). Laws, each tested:
//   - Level-triggered: a pass publishes what is observed then, however many
//     changes led to it, and a cluster without changes is not written to.
//   - Of two passes, one begins no sooner than Debounce after the other.
//   - Of several replicas at most one publishes, the one that holds the lease.
//     Asked to stop, it gives the lease back when it has ended its work, never
//     before.
//   - Run returns when everything that it started has ended.
package controller

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// Observer is what the controller observes the cluster with.
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
	// Resync is how often every report is made again without a change.
	Resync time.Duration
	// SyncTimeout is how long the first observation may take; 0 means no limit.
	SyncTimeout time.Duration
	// Lease says who leads.
	Lease Lease
	// Ping asks the API server for a sign of life.
	Ping func(context.Context) error
	// Requests, if set, are served with the other metrics.
	Requests *Requests
	// Version and Commit of this program, for the metrics.
	Version, Commit string
}

// Lease is the lock that the leader holds, and its times.
type Lease struct {
	Lock resourcelock.Interface
	// Duration is how long the lease of a leader that is gone is still valid;
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
	changes  changes
}

// New returns a controller. Call its Changed method for each change.
func New(observer Observer, writer *publish.Writer, o Options) *Controller {
	c := &Controller{observer: observer, writer: writer, options: o, changes: newChanges()}
	c.metrics = newMetrics(observer, o)
	return c
}

// Changed notes that a namespace has changed.
func (c *Controller) Changed(namespace string) {
	if c.options.Publish.Level == aggregate.ByCluster {
		namespace = "" // one report shows them all
	}
	c.changes.add(namespace)
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

// waitForSync waits until everything was observed once. A server that cannot be
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
