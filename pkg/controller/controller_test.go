package controller_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/controller"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// fleet is an observer with a number of workloads per namespace.
type fleet struct {
	mu        sync.Mutex
	workloads map[string]int
	// more is the number of pods of each workload beside the first.
	more int
	// observed is how often each namespace was observed.
	observed map[string]int
	gaps     []observe.Gap
	unsynced error
	ended    bool
}

func (f *fleet) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fleet) Run(ctx context.Context) {
	<-ctx.Done()
	f.set(func() { f.ended = true })
}

func (f *fleet) WaitForSync(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.unsynced
}

func (f *fleet) Namespaces() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.workloads))
}

func (f *fleet) Gaps(...string) []observe.Gap {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.gaps)
}

func (f *fleet) Observe(namespaces ...string) *observe.Observation {
	obs := &observe.Observation{Scope: observe.Scope{Pods: true}, Gaps: f.Gaps()}
	f.mu.Lock()
	defer f.mu.Unlock()
	var members aggregate.Fleet
	if f.observed == nil {
		f.observed = map[string]int{}
	}
	for _, namespace := range namespaces {
		f.observed[namespace]++
		for n := range f.workloads[namespace] {
			members.Add(aggregate.Pod{
				Workload:       aggregate.Workload{Namespace: namespace, Kind: "Deployment", Name: fmt.Sprintf("web-%d", n)},
				ServiceAccount: "web", More: f.more, Profile: &profile.Profile{RunAsUser: profile.SetOf(profile.User{}), Privileges: profile.SetOf(profile.Name("hostPID"))},
			})
		}
	}
	obs.Members = members.Members()
	return obs
}

func (f *fleet) Pods() int     { return 7 }
func (f *fleet) Profiles() int { return 3 }
func (f *fleet) Watches() int  { return 9 }

// replica is a running controller.
type replica struct {
	*controller.Controller
	fleet *fleet
	stop  func()
	ended chan error
	ping  *pinger
}

type pinger struct {
	mu  sync.Mutex
	err error
}

func (p *pinger) set(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *pinger) ping(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

const (
	debounce = 5 * time.Second
	resync   = 10 * time.Minute
)

func start(t *testing.T, config *rest.Config, f *fleet, identity string) *replica {
	t.Helper()
	r := &replica{fleet: f, ended: make(chan error, 1), ping: &pinger{}}
	requests := controller.NewRequests()
	config = rest.CopyConfig(config)
	requests.Count(config)
	writer, err := publish.NewWriter(config, "advisor")
	if err != nil {
		t.Fatal(err)
	}
	r.Controller = controller.New(f, writer, controller.Options{
		Publish:  publish.Options{Scope: observe.Scope{Pods: true}, Level: aggregate.ByWorkload, Engines: []generate.Engine{psp.Engine()}},
		Debounce: debounce,
		Resync:   resync,
		Lease: controller.Lease{
			Lock: &resourcelock.LeaseLock{
				LeaseMeta:  metav1.ObjectMeta{Namespace: "advisor", Name: "psp-advisor"},
				Client:     coordinationv1client.NewForConfigOrDie(config),
				LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
			},
			Duration: time.Minute, Deadline: 40 * time.Second, Retry: 2 * time.Second,
		},
		Ping:     r.ping.ping,
		Requests: requests,
		Version:  "v1.2.3",
		Commit:   "abc",
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { r.ended <- r.Run(ctx) }()
	r.stop = func() {
		cancel()
		select {
		case err := <-r.ended:
			if err != nil {
				t.Error(err)
			}
			r.ended <- nil
		case <-time.After(time.Hour):
			t.Error("does not stop")
		}
	}
	t.Cleanup(r.stop)
	return r
}

// reports returns what the index names, by namespace.
func reports(t *testing.T, server *apitest.Server) map[string]publish.Entry {
	t.Helper()
	list := map[string]publish.Entry{}
	cm, ok := server.ConfigMaps()[publish.IndexName]
	if !ok {
		return list
	}
	index, err := publish.ReadIndex(cm)
	if err != nil && !errors.Is(err, publish.ErrNoReport) {
		t.Fatal(err)
	}
	for _, e := range index.Reports {
		list[e.Namespace] = e
	}
	return list
}

// pass lets time pass in a bubble, and everything happen that is due by then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not so in time: " + what)
		}
	}
}

func holder(server *apitest.Server) string {
	lease, ok := server.Get("leases", "advisor", "psp-advisor").(*coordinationv1.Lease)
	if !ok || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// passes returns how many passes have begun: each reads the index once.
func passes(server *apitest.Server) int {
	n := 0
	for _, q := range server.Requested() {
		if q.Verb == "get" && q.Name == publish.IndexName {
			n++
		}
	}
	return n
}

func TestFollowsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t)
		f := &fleet{workloads: map[string]int{"monitoring": 1, "shop": 1}}
		r := start(t, config, f, "one")
		eventually(t, "two reports", func() bool { return len(reports(t, server)) == 2 })

		server.TakeWrites()
		before := passes(server)
		pass(3 * resync)
		if writes := server.TakeWrites(); len(writes) > 0 || passes(server) == before {
			t.Errorf("an idle cluster was written to: %q in %d passes", writes, passes(server)-before)
		}

		f.set(func() { f.workloads["shop"] = 2 })
		for range 100 {
			r.Changed("shop")
		}
		eventually(t, "two workloads", func() bool { return reports(t, server)["shop"].Workloads == 2 })
		eventually(t, "the old report is gone", func() bool { return len(server.ConfigMaps()) == 3 })
		if writes := server.TakeWrites(); len(writes) != 3 {
			t.Errorf("a hundred changes at once were written as %q", writes)
		}

		f.set(func() { delete(f.workloads, "shop") })
		r.Changed("shop")
		eventually(t, "the report of a namespace that is gone is gone", func() bool { return len(server.ConfigMaps()) == 2 })

		// What somebody takes away comes back, long before everything is made again.
		server.Remove("configmaps", "advisor", reports(t, server)["monitoring"].ConfigMaps[0])
		pass(time.Minute + debounce)
		if len(server.ConfigMaps()) != 2 {
			t.Error("a report that was deleted is not back after a minute")
		}

		r.stop()
		if !f.ended {
			t.Error("the observer still runs")
		}
		if h := holder(server); h != "" {
			t.Errorf("the lease is still held by %q", h)
		}
	})
}

// A new leader publishes at once, whatever has changed before.
func TestFirstPass(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			server, config := apitest.Serve(t)
			begin := time.Now()
			r := start(t, config, &fleet{workloads: map[string]int{"shop": 1}}, "one")
			r.Changed("shop")
			eventually(t, "a report", func() bool { return len(reports(t, server)) == 1 })
			if waited := time.Since(begin); waited >= debounce {
				t.Errorf("published after %s", waited)
			}
		})
	}
}

// Changes in many namespaces, one after the other, are published together.
func TestDebounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t)
		f := &fleet{workloads: map[string]int{}}
		for n := range 60 {
			f.workloads[fmt.Sprintf("team-%02d", n)] = 1
		}
		r := start(t, config, f, "one")
		eventually(t, "60 reports", func() bool { return len(reports(t, server)) == 60 })
		pass(debounce)
		before := passes(server)
		for n := range 60 {
			namespace := fmt.Sprintf("team-%02d", n)
			f.set(func() { f.workloads[namespace] = 2 })
			r.Changed(namespace)
			pass(30 * time.Millisecond)
		}
		pass(2 * debounce)
		for namespace, e := range reports(t, server) {
			if e.Workloads != 2 {
				t.Errorf("%s has %d workloads", namespace, e.Workloads)
			}
		}
		if n := passes(server) - before; n != 1 {
			t.Errorf("%d passes, want 1", n)
		}
		// Without a pause there is one pass for each debounce.
		before = passes(server)
		for range 1000 {
			r.Changed("team-00")
			pass(100 * time.Millisecond)
		}
		if n, most := passes(server)-before, int(100*time.Second/debounce)+1; n > most || n < most-3 {
			t.Errorf("%d passes in 100 s, want %d at most", n, most)
		}
	})
}

// Where only the number of pods changes, the report is made again once a minute, not with
// each pass; with anything else, at once.
func TestNumbersOfPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t)
		f := &fleet{workloads: map[string]int{"monitoring": 1, "shop": 1}}
		r := start(t, config, f, "one")
		eventually(t, "two reports", func() bool { return len(reports(t, server)) == 2 })
		pass(2 * time.Minute)

		server.TakeWrites()
		const minutes = 10
		for range minutes * 60 {
			f.set(func() { f.more++ })
			r.Changed("shop")
			pass(time.Second)
		}
		pass(time.Minute + debounce)
		// A report, the index and the report before.
		if writes := server.TakeWrites(); len(writes) > 3*(minutes+1) || len(writes) < 3*(minutes-2) {
			t.Errorf("%d minutes of other numbers were written as %q", minutes, writes)
		}
		if got, want := reports(t, server)["shop"].Pods, minutes*60+1; got != want {
			t.Errorf("%d pods, want %d", got, want)
		}

		// A pod that was replaced: what changes is observed, and nothing is made again.
		pass(2*time.Minute + time.Second - time.Since(time.Now().Truncate(time.Minute))) // after a check
		f.set(func() { f.observed["shop"] = 0 })
		const replaced = 5
		for range replaced {
			for _, n := range []int{1, -1} {
				f.set(func() { f.more += n })
				r.Changed("shop")
				pass(2 * debounce)
			}
			pass(2*time.Minute - 4*debounce)
		}
		f.set(func() {
			if got := f.observed["shop"]; got < 2*replaced || got > 2*replaced+1 { // and by a resync
				t.Errorf("observed %d times, want once for each of %d changes", got, 2*replaced)
			}
		})

		f.set(func() { f.workloads["shop"], f.more = 2, 0 })
		r.Changed("shop")
		pass(2 * debounce)
		if got := reports(t, server)["shop"]; got.Workloads != 2 || got.Pods != 2 {
			t.Errorf("another workload is not shown at once: %+v", got)
		}
	})
}

// TestUnread: a refusal is published soon, and taken back when it ends.
func TestUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t)
		f := &fleet{workloads: map[string]int{"shop": 1}}
		start(t, config, f, "one")
		eventually(t, "a report", func() bool { return len(reports(t, server)) == 1 })
		f.set(func() { f.gaps = []observe.Gap{{Resource: "pods", Reason: apierror.Forbidden}} })
		pass(2 * debounce)
		if stale := reports(t, server)["shop"].Stale; stale == nil || stale.Reason != apierror.Forbidden {
			t.Errorf("stale is %v", stale)
		}
		server.TakeWrites()
		before := passes(server)
		pass(time.Hour)
		if writes := server.TakeWrites(); len(writes) > 0 || passes(server)-before > 100 {
			t.Errorf("the same refusal was written again: %q, in %d passes", writes, passes(server)-before)
		}
		f.set(func() { f.gaps = nil })
		pass(2 * debounce)
		if stale := reports(t, server)["shop"].Stale; stale != nil {
			t.Errorf("still stale: %v", stale)
		}
	})
}

// TestTransientGap: what a restart of the server breaks for a moment is waited
// for, and leaves no trace; nor does a failure before it end the patience.
func TestTransientGap(t *testing.T) {
	for name, failuresBefore := range map[string]bool{"at once": false, "after passes that failed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, config := apitest.Serve(t)
				f := &fleet{workloads: map[string]int{"shop": 1}}
				r := start(t, config, f, "one")
				eventually(t, "a report", func() bool { return len(reports(t, server)) == 1 })
				if failuresBefore {
					f.set(func() { f.gaps = []observe.Gap{{Resource: "pods", Reason: apierror.Forbidden}} })
					pass(3 * resync)
					f.set(func() { f.gaps = nil })
					pass(2 * resync)
				}
				server.TakeWrites()
				for range 2 { // the second time as the first
					f.set(func() { f.gaps = []observe.Gap{{Resource: "pods", Reason: apierror.Unreachable}} })
					r.ping.set(errors.New("connection refused"))
					r.Changed("shop")
					pass(time.Minute)
					r.ping.set(nil)
					pass(40 * time.Second)
					f.set(func() { f.gaps = nil })
					pass(time.Minute)
				}
				if writes := server.TakeWrites(); len(writes) > 0 {
					t.Errorf("wrote %q", writes)
				}
			})
		})
	}
}

// However often what can be observed changes, one pass is done for each debounce.
func TestFlappingGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t)
		f := &fleet{workloads: map[string]int{"shop": 1}}
		start(t, config, f, "one")
		eventually(t, "a report", func() bool { return len(reports(t, server)) == 1 })
		before := passes(server)
		for range 50 {
			f.set(func() { f.gaps = []observe.Gap{{Resource: "pods", Reason: apierror.Forbidden}} })
			pass(time.Second)
			f.set(func() { f.gaps = nil })
			pass(time.Second)
		}
		if n, most := passes(server)-before, int(100*time.Second/debounce)+1; n > most {
			t.Errorf("%d passes in 100 s, want %d at most", n, most)
		}
	})
}

// TestLastingGap: a gap that stays while the server answers is published.
func TestLastingGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t)
		f := &fleet{workloads: map[string]int{"shop": 1}}
		start(t, config, f, "one")
		eventually(t, "a report", func() bool { return len(reports(t, server)) == 1 })
		f.set(func() { f.gaps = []observe.Gap{{Resource: "pods", Reason: apierror.InternalError}} })
		pass(2 * time.Minute)
		if stale := reports(t, server)["shop"].Stale; stale == nil || stale.Reason != apierror.InternalError {
			t.Errorf("stale is %v", stale)
		}
	})
}

// TestTransientGapOfBusyCluster: neither changes nor other transient gaps shorten the
// time that a transient gap has to go away.
func TestTransientGapOfBusyCluster(t *testing.T) {
	for name, during := range map[string]func(*replica, *fleet, int){
		"changes": func(r *replica, _ *fleet, _ int) { r.Changed("b") },
		"reasons": func(_ *replica, f *fleet, n int) {
			reason := apierror.Pending
			if n/20%2 == 0 {
				reason = apierror.InternalError
			}
			f.set(func() { f.gaps = []observe.Gap{{Resource: "jobs.batch", Reason: reason}} })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, config := apitest.Serve(t)
				f := &fleet{workloads: map[string]int{"b": 1, "shop": 1}}
				r := start(t, config, f, "one")
				eventually(t, "the reports", func() bool { return len(reports(t, server)) == 2 })
				pass(10 * time.Second)
				f.set(func() { f.gaps = []observe.Gap{{Resource: "jobs.batch", Reason: apierror.Pending}} })
				for n := range 450 {
					during(r, f, n)
					pass(100 * time.Millisecond)
				}
				if stale := reports(t, server)["shop"].Stale; stale != nil {
					t.Errorf("stale after less than 45 s: %v", stale)
				}
				f.set(func() { f.gaps = nil })
				before := passes(server)
				eventually(t, "a pass when the gap is gone", func() bool { return passes(server) > before })
				if reports(t, server)["shop"].Stale != nil {
					t.Error("stale without a gap")
				}
			})
		})
	}
}

// TestOneLeads: of two replicas one publishes; when it stops, the other one does.
func TestOneLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t)
		one := &fleet{workloads: map[string]int{"shop": 1}}
		two := &fleet{workloads: map[string]int{"shop": 1}}
		first := start(t, config, one, "one")
		eventually(t, "the first leads", func() bool { return holder(server) == "one" })
		eventually(t, "a report", func() bool { return len(reports(t, server)) == 1 })
		second := start(t, config, two, "two")
		server.TakeWrites()
		two.set(func() { two.workloads["shop"] = 5 })
		second.Changed("shop")
		pass(time.Hour)
		if writes := server.TakeWrites(); len(writes) > 0 || holder(server) != "one" {
			t.Errorf("%s leads, and the other one wrote %q", holder(server), writes)
		}
		first.stop()
		eventually(t, "the second leads", func() bool { return holder(server) == "two" })
		eventually(t, "it publishes what happened before", func() bool { return reports(t, server)["shop"].Workloads == 5 })
	})
}

func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, config := apitest.Serve(t)
		f := &fleet{workloads: map[string]int{}, unsynced: errors.New("connection refused")}
		r := start(t, config, f, "one")
		if code, body := get(t, r, "/readyz"); code != http.StatusServiceUnavailable {
			t.Errorf("not synced: %d %s", code, body)
		}
		if code, _ := get(t, r, "/healthz"); code != http.StatusOK {
			t.Errorf("not synced: healthz is %d", code)
		}
		f.set(func() { f.unsynced = nil })
		eventually(t, "ready", func() bool { code, _ := get(t, r, "/readyz"); return code == http.StatusOK })
		r.ping.set(errors.New("connection refused"))
		if code, body := get(t, r, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "reaching the API server") {
			t.Errorf("server unreachable: %d %s", code, body)
		}
		r.ping.set(nil)
		if code, _ := get(t, r, "/readyz"); code != http.StatusOK {
			t.Errorf("server back: %d", code)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t)
		f := &fleet{workloads: map[string]int{"shop": 2}}
		r := start(t, config, f, "one")
		eventually(t, "a report", func() bool { return len(reports(t, server)) == 1 })
		var text string
		eventually(t, "a success", func() bool {
			_, text = get(t, r, "/metrics")
			succeeded := `psp_advisor_passes_total{result="succeeded"} `
			return strings.Contains(text, succeeded) && !strings.Contains(text, succeeded+"0")
		})
		for _, want := range []string{
			"psp_advisor_pods 7", "psp_advisor_profiles 3", "psp_advisor_watches_total 9", "psp_advisor_leader 1",
			`psp_advisor_policies{level="workload"} 2`, `psp_advisor_findings{rule="host-pid",severity="high"} 2`, "psp_advisor_reports 1", "psp_advisor_stale_reports 0", "psp_advisor_gaps 0",
			`psp_advisor_writes_total{result="created"} 2`, `psp_advisor_writes_total{result="failed"} 0`,
			"psp_advisor_pass_duration_seconds_count", "psp_advisor_last_success_timestamp_seconds 9.",
			`psp_advisor_build_info{commit="abc",goversion="` + runtime.Version() + `",version="v1.2.3"} 1`,
			"go_goroutines ", "process_start_time_seconds ",
			`rest_client_requests_total{code="200",method="PATCH"} 2`, `rest_client_requests_total{code="404",method="GET"} 2`, `rest_client_request_duration_seconds_count{method="PATCH"} 2`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in\n%s", want, text)
			}
		}
		server.Away(true)
		eventually(t, "a request without an answer", func() bool {
			_, text := get(t, r, "/metrics")
			return strings.Contains(text, `rest_client_requests_total{code="<error>",method="GET"} `)
		})
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%v %v", problems, err)
		}
		readme, err := os.ReadFile("../../manifests/README.md")
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^# TYPE (?:psp_advisor_)?(\w+)`).FindAllStringSubmatch(text, -1) {
			if name := match[1]; !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") &&
				!bytes.Contains(readme, []byte("`"+name+"`")) && !bytes.Contains(readme, []byte("`"+name+"{")) {
				t.Errorf("the README of the manifests does not explain %s", name)
			}
		}
		for _, name := range []string{"shop", "psp-advisor-index", "api.example"} {
			if strings.Contains(text, name) {
				t.Errorf("a metric has the name %s of the cluster", name)
			}
		}
	})
}

func get(t *testing.T, r *replica, path string) (int, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	r.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	body, err := io.ReadAll(recorder.Body)
	if err != nil {
		t.Fatal(err)
	}
	return recorder.Code, string(body)
}
