// Package controller keeps published reports current.
//
// Input is an observer, which calls Changed, and a writer; output is ConfigMaps (see
// package publish) and HTTP endpoints (see Handler). Laws, each tested:
//   - Level-triggered: a pass publishes what is observed when it runs, whatever the
//     number of changes before it. Without changes nothing is written.
//   - Two passes begin at least Debounce apart. A report is made again in the first one
//     after something that it shows has changed; if that is only the number of pods, once
//     a minute.
//   - At most one replica publishes: the one that holds the lease. On shutdown it
//     releases the lease after its work has ended, never before.
//   - When Run returns, everything that it started has ended.
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

// Observer observes a cluster continuously.
type Observer interface {
	publish.Source
	// Run observes until ctx is done.
	Run(ctx context.Context)
	// WaitForSync waits until everything was observed once.
	WaitForSync(ctx context.Context) error
	// Pods, Profiles and Watches are for the metrics.
	Pods() int
	Profiles() int
	Watches() int
}

// Options of a controller.
type Options struct {
	Publish publish.Options
	// Debounce is the time between a change and the pass that publishes it with others,
	// and the minimum time between passes.
	Debounce time.Duration
	// Resync is the time after which all reports are rendered again without a change.
	Resync time.Duration
	// SyncTimeout is the maximum time of the first observation; 0 means no limit.
	SyncTimeout time.Duration
	// Lease for leader election.
	Lease Lease
	// Ping returns an error if the API server does not respond.
	Ping func(context.Context) error
	// Requests, if set, are served with the other metrics.
	Requests *Requests
	// Version and Commit of this program, for the metrics.
	Version, Commit string
}

// Lease is the lock of the leader, and its durations.
type Lease struct {
	Lock resourcelock.Interface
	// Duration is how long a lease is valid without being renewed, Deadline how long
	// the leader tries to renew it, and Retry the time between attempts.
	Duration, Deadline, Retry time.Duration
}

// Controller keeps the reports in one namespace current.
type Controller struct {
	observer Observer
	writer   *publish.Writer
	options  Options
	metrics  *metrics
	synced   atomic.Bool
	changes  changes
}

// New returns a controller. Call its method Changed for each change.
func New(observer Observer, writer *publish.Writer, o Options) *Controller {
	c := &Controller{observer: observer, writer: writer, options: o, changes: newChanges()}
	c.metrics = newMetrics(observer, o)
	return c
}

// Changed records that a namespace has changed.
func (c *Controller) Changed(namespace string) {
	if c.options.Publish.Level == aggregate.ByCluster {
		namespace = "" // there is only one report
	}
	c.changes.add(namespace)
}

// Run runs the controller until ctx is done, which is not an error.
func (c *Controller) Run(ctx context.Context) error {
	observing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	group.Go(func() { c.observer.Run(observing) })
	if err := c.waitForSync(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // shutdown
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

// waitForSync waits until everything was observed once, also if the server is not
// reachable yet.
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

// campaign acquires the lease, leads while it is valid, and releases it.
func (c *Controller) campaign(ctx context.Context) error {
	// The lease outlives ctx: it is released after the work has ended.
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
