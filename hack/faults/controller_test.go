package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/hack/faults"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/controller"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/cluster"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// controlled is what the controller requests.
var controlled = faults.Requests{
	faults.List: append([]string{"configmaps", "configmaps"}, listed...), faults.Get: {"replicasets", "jobs", "configmaps", "leases"},
	faults.Watch: listed, faults.Write: {"configmaps", "configmaps", "leases"}, faults.Discovery: {"version"},
}

// changes are those of the cluster while the controller runs. Each namespace has one kind
// of object that changes, so that what is observed there is always the state after one of
// its changes, however late it is: resources are watched independently.
var changes = []func(*apitest.Server){
	func(s *apitest.Server) { s.Put(pod("pods", "a", "default", 11)) },
	func(s *apitest.Server) { s.Put(deployment("templates", "web-0", 12)) },
	func(s *apitest.Server) { s.Put(pod("pods", "b", "default", 13)) },
	func(s *apitest.Server) { s.Remove("pods", "pods", "a") },
	func(s *apitest.Server) { s.Put(deployment("templates", "web-0", 14)) },
	func(s *apitest.Server) { s.Put(pod("pods", "c", "default", 15)) },
	func(s *apitest.Server) { s.Remove("deployments", "templates", "web-0") },
	func(s *apitest.Server) { s.Put(pod("pods", "a", "default", 16)) },
}

// control runs the controller with faults, while the cluster changes, and checks what
// readers find.
type control struct {
	// right are the reports that are right at some time: names of ConfigMaps, which end
	// in the hash of their content. last are those after all changes.
	right map[string]bool
	last  contents
	hits  map[faults.Kind]int
}

func (c *control) options() publish.Options {
	return publish.Options{
		Scope: observe.Scope{Pods: true, Templates: true}, Level: aggregate.ByWorkload, Engines: []generate.Engine{psp.Engine()}, Minor: 24,
	}
}

func newControl(t *testing.T) *control {
	t.Helper()
	c := &control{right: map[string]bool{}, hits: map[faults.Kind]int{}}
	inBubble(t, fleet("shop"), func(t *testing.T, server *apitest.Server) {
		config := &rest.Config{Host: "http://api.example", Transport: server}
		for i := range len(changes) + 1 {
			if i > 0 {
				changes[i-1](server)
			}
			writer, err := publish.NewWriter(config, reports)
			if err != nil {
				t.Fatal(err)
			}
			seen, err := cluster.List(t.Context(), paged(config, server), c.options().Scope, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := writer.Publish(t.Context(), c.options().NewPass(seen)); err != nil {
				t.Fatal(err)
			}
			c.last = contentsOf(server.ConfigMaps())
			for name := range c.last {
				c.right[name] = true
			}
		}
	})
	return c
}

// paged is config with small pages.
func paged(config *rest.Config, next http.RoundTripper) *rest.Config {
	way := faults.NewTransport(next, nil)
	way.PageSize = pageSize
	config = rest.CopyConfig(config)
	config.Transport = way
	return config
}

// build puts a controller together over a transport, as the command does it.
func (c *control) build(t *testing.T, way http.RoundTripper) (*controller.Controller, error) {
	t.Helper()
	config := &rest.Config{Host: "http://api.example", Transport: way, QPS: -1}
	watcher, err := cluster.NewWatcher(config, c.options().Scope)
	if err != nil {
		return nil, err
	}
	writer, err := publish.NewWriter(config, reports)
	if err != nil {
		return nil, err
	}
	lease := controller.Lease{Duration: 15 * time.Second, Deadline: 10 * time.Second, Retry: 2 * time.Second}
	forLeases := rest.CopyConfig(config)
	forLeases.Timeout = lease.Deadline / 2
	lease.Lock = &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: reports, Name: "psp-advisor"}, Client: coordinationv1client.NewForConfigOrDie(forLeases),
		LockConfig: resourcelock.ResourceLockConfig{Identity: "one"},
	}
	server := discovery.NewDiscoveryClientForConfigOrDie(config)
	built := controller.New(watcher, writer, controller.Options{
		Publish: c.options(), Debounce: 5 * time.Second, Resync: 10 * time.Minute, SyncTimeout: 5 * time.Minute, Lease: lease,
		Ping: func(ctx context.Context) error {
			_, err := server.ServerVersionWithContext(ctx)
			return err
		},
	})
	watcher.Changed = built.Changed
	return built, nil
}

// deployed is a controller that is started again when it ends, as a kubelet does.
type deployed struct {
	current atomic.Pointer[controller.Controller]
	// failures are the errors that ended it.
	failures []error
	stop     func()
}

func (c *control) deploy(t *testing.T, way http.RoundTripper) *deployed {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	d, ended := &deployed{}, make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			built, err := c.build(t, way)
			if err != nil {
				t.Error(err)
				return
			}
			d.current.Store(built)
			if err := built.Run(ctx); err != nil {
				d.failures = append(d.failures, err)
				time.Sleep(10 * time.Second)
			}
		}
	}()
	d.stop = func() {
		cancel()
		<-ended
	}
	return d
}

func (d *deployed) ready() bool {
	c := d.current.Load()
	if c == nil {
		return false
	}
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	return w.Code == http.StatusOK
}

// recovery is how long a controller may take after all faults: a silent watch ends after
// ten minutes at most.
const recovery = 40 * time.Minute

// check runs a controller with a schedule, and returns what is wrong.
func (c *control) check(t *testing.T, s faults.Schedule, streams bool) (err error) {
	t.Helper()
	inBubble(t, fleet("shop"), func(t *testing.T, server *apitest.Server) {
		server.Streams = streams
		server.AfterWrite = func(write string, stored map[string]*corev1.ConfigMap) {
			if wrong := c.checkStored(stored); wrong != nil && err == nil {
				err = fmt.Errorf("after %s: %w", write, wrong)
			}
		}
		way := faults.NewTransport(server, s)
		way.PageSize = pageSize
		run := c.deploy(t, way)
		defer func() {
			run.stop()
			for _, failure := range run.failures {
				if !s.NamedIn(failure.Error()) {
					err = errors.Join(err, fmt.Errorf("nothing says what is missing: %w", failure))
				}
			}
		}()
		for i, change := range changes {
			time.Sleep(time.Duration(1+i%3*7) * time.Second)
			change(server)
		}
		time.Sleep(time.Minute)
		for n, hits := range way.Hits() {
			c.hits[s[n].Kind] += hits
		}
		way.Set(nil)
		done := func() bool { return run.ready() && cmp.Equal(c.last, contentsOf(server.ConfigMaps())) }
		for deadline := time.Now().Add(recovery); !done(); time.Sleep(30 * time.Second) {
			if time.Now().After(deadline) {
				err = errors.Join(err, fmt.Errorf("%s after all faults, ready %t, ConfigMaps (-want +got):\n%.3000s", recovery, run.ready(), cmp.Diff(c.last, contentsOf(server.ConfigMaps()))))
				return
			}
		}
		server.TakeWrites()
		time.Sleep(11 * time.Minute) // a resync
		if writes := server.TakeWrites(); len(writes) > 0 {
			err = errors.Join(err, fmt.Errorf("writes without a change: %q", writes))
		}
	})
	return err
}

// checkStored checks reports: those that the index names are right at some time, unless
// it says that they are not.
func (c *control) checkStored(stored map[string]*corev1.ConfigMap) error {
	cm, ok := stored[publish.IndexName]
	if !ok {
		return nil
	}
	index, err := publish.ReadIndex(cm)
	if errors.Is(err, publish.ErrNoReport) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range index.Reports {
		if i := slices.IndexFunc(e.ConfigMaps, func(name string) bool { return !c.right[name] }); i >= 0 && !e.Partial {
			return fmt.Errorf("the report of %s is %s, which was never right; stale: %v", e.Namespace, e.ConfigMaps[i], e.Stale)
		}
	}
	return nil
}

// TestController: the reports are right at some time during faults, and soon after the
// last one those of the cluster as it is. Without changes nothing is written.
func TestController(t *testing.T) {
	for name, streams := range map[string]bool{"pages": false, "streams": true} {
		t.Run(name, func(t *testing.T) {
			c := newControl(t)
			random(t, *schedules/16, controlled, func(s faults.Schedule) error { return c.check(t, s, streams) })
			t.Logf("faults %v", c.hits)
		})
	}
}
