//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// leaseDuration is shorter than the default one, for the sake of time.
const leaseDuration = 6 * time.Second

// replica is a running `advisor controller`.
type replica struct {
	cmd     *exec.Cmd
	address string
	log     *syncBuffer
	ended   chan struct{}
}

// syncBuffer is a buffer that is read while a process writes to it.
type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(data)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// control starts a controller that writes into a namespace. It ends with the
// test, if not before.
func (e env) control(t *testing.T, kubeconfig, into string, args ...string) *replica {
	t.Helper()
	// With port 0 the controller finds a free one and logs it.
	r := &replica{log: &syncBuffer{}, ended: make(chan struct{})}
	r.cmd = e.command(context.Background(), "controller", kubeconfig, into,
		append([]string{"--listen-address=127.0.0.1:0", "--debounce=200ms", "--lease-duration=" + leaseDuration.String()}, args...)...)
	r.cmd.Stderr = r.log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		// How it ended is in the log, and in ProcessState.
		_ = r.cmd.Wait()
	}()
	t.Cleanup(func() {
		r.kill()
		if t.Failed() {
			t.Logf("log of the controller at %s:\n%s", r.address, r.log)
		}
	})
	eventually(t, time.Minute, "the controller logs its address", func() bool {
		_, rest, found := strings.Cut(r.log.String(), `address="`)
		r.address, _, _ = strings.Cut(rest, `"`)
		return found
	})
	return r
}

// kill is kill -9.
func (r *replica) kill() {
	_ = r.cmd.Process.Kill() // it may have ended
	<-r.ended
}

// get returns what the controller serves at a path; code 0 means nothing.
func (r *replica) get(path string) (code int, body string) {
	client := http.Client{Timeout: 2 * time.Second}
	response, err := client.Get("http://" + r.address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(data)
}

// ready reports whether /readyz says so.
func (r *replica) ready() bool {
	code, _ := r.get("/readyz")
	return code == http.StatusOK
}

// metric reports whether /metrics has a line.
func (r *replica) metric(line string) bool {
	_, body := r.get("/metrics")
	return slices.Contains(strings.Split(body, "\n"), line)
}

func (r *replica) leads() bool { return r.metric("psp_advisor_leader 1") }

// eventually waits until a condition holds and returns how long that took.
func eventually(t *testing.T, timeout time.Duration, what string, condition func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !condition() {
		if time.Since(begin) > timeout {
			t.Fatalf("not so within %s: %s", timeout, what)
		}
		sleep(t.Context(), 50*time.Millisecond)
	}
	return time.Since(begin)
}

// reports reports whether the published policies of a namespace mention a text.
func (e env) reports(t *testing.T, into, namespace, text string) bool {
	t.Helper()
	_, policies := e.published(t, into)
	return strings.Contains(policies[namespace], text)
}

// TestLeaderKilled kills the leader of two controllers after a write: the other
// takes over in the time of the lease, finds what happened in between, and writes
// nothing that is there.
func TestLeaderKilled(t *testing.T) {
	t.Parallel() // it waits for leases
	e := start(t, cluster.Options{})
	const into, namespace, quiet, late = "reports", "shop", "quiet", "late"
	for _, name := range []string{into, namespace, quiet, late} {
		e.ensureNamespace(t, name)
	}
	e.set(t, namespace, "before", 1)
	e.set(t, quiet, "unchanged", 2)

	firstDoor, secondDoor := e.openDoor(t, "admin", masters), e.openDoor(t, "admin", masters)
	first := e.control(t, firstDoor.kubeconfig, into)
	eventually(t, time.Minute, "the first controller leads", first.leads)
	eventually(t, time.Minute, "the first controller has published", func() bool { return first.metric(`psp_advisor_passes_total{result="succeeded"} 1`) })
	if writes := firstDoor.noted(); len(writes) != 4 {
		t.Errorf("the first controller wrote %q, want an empty index, two reports and the index", writes)
	}
	second := e.control(t, secondDoor.kubeconfig, into)
	eventually(t, time.Minute, "the second controller is ready", second.ready)

	firstDoor.reset(func(int) { _ = first.cmd.Process.Kill() })
	e.set(t, namespace, "half", 3)
	select {
	case <-first.ended:
	case <-time.After(time.Minute):
		t.Fatal("the first controller does not write")
	}
	begin := time.Now()
	e.set(t, late, "between", 4)
	// The others try every 2/15 of the lease, plus up to 1.2 times as much at
	// random; the rest is for a slow machine.
	eventually(t, leaseDuration+leaseDuration/3+10*time.Second, "the second controller leads", second.leads)
	took := time.Since(begin)
	eventually(t, time.Minute, "the workload created in between is in a report", func() bool { return e.reports(t, into, late, "between") })
	// Nothing is left to do, so nothing more may be done.
	sleep(t.Context(), 2*time.Second)
	t.Logf("the second controller led after %s, with a lease of %s; the first wrote %q at last, the second %q",
		took.Round(time.Millisecond), leaseDuration, firstDoor.noted(), secondDoor.noted())

	if writes := firstDoor.noted(); len(writes) != 1 || countPrefix(writes, "PATCH psp-advisor.shop.") != 1 {
		t.Errorf("the first controller wrote %q before it died", writes)
	}
	// The missing report, the one that the index does not name yet, the index, and the
	// old report.
	if writes := secondDoor.noted(); len(writes) != 4 || countPrefix(writes, "PATCH psp-advisor.late.") != 1 || countPrefix(writes, "PATCH psp-advisor.shop.") != 1 ||
		countPrefix(writes, "PATCH psp-advisor-index") != 1 || countPrefix(writes, "DELETE psp-advisor.shop.") != 1 {
		t.Errorf("the second controller wrote %q", writes)
	}
	index, policies := e.published(t, into)
	if !strings.Contains(policies[namespace], "half") {
		t.Error("what the first controller could not finish is lost")
	}
	if rest := e.leftOver(t, into, index); len(rest) > 0 {
		t.Errorf("left over: %q", rest)
	}

	// Asked to stop, the leader gives the lease back: nobody waits for its end.
	firstDoor.reset(nil)
	third := e.control(t, firstDoor.kubeconfig, into)
	eventually(t, time.Minute, "the third controller is ready", third.ready)
	held := e.leaseHolder(t, into)
	if err := second.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	<-second.ended
	if code := second.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("stopped, the controller exits with %d", code)
	}
	if e.leaseHolder(t, into) == held {
		t.Error("stopped, the controller still holds the lease")
	}
	eventually(t, time.Minute, "the third controller leads", third.leads)
	t.Logf("after the second was asked to stop, the third led after %s", time.Since(begin).Round(time.Millisecond))
	sleep(t.Context(), time.Second)
	if writes := firstDoor.noted(); len(writes) != 0 {
		t.Errorf("with nothing new, the third controller wrote %q", writes)
	}
}

// leaseHolder is who holds the lease of the controllers that write into a
// namespace.
func (e env) leaseHolder(t *testing.T, into string) string {
	t.Helper()
	lease, err := e.client.CoordinationV1().Leases(into).Get(t.Context(), "psp-advisor", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

func countPrefix(list []string, prefix string) int {
	n := 0
	for _, s := range list {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

// TestServerRestart takes the API server away from a controller for a while. A current
// server streams the lists by which the controller catches up.
func TestServerRestart(t *testing.T) {
	for _, release := range []cluster.Release{cluster.PSPRelease, cluster.CurrentRelease} {
		t.Run(string(release), func(t *testing.T) {
			t.Parallel() // it waits without a server
			restartServer(t, release)
		})
	}
}

func restartServer(t *testing.T, release cluster.Release) {
	t.Helper()
	e := start(t, cluster.Options{Release: release})
	const into, namespace = "reports", "shop"
	e.ensureNamespace(t, into)
	e.ensureNamespace(t, namespace)
	e.set(t, namespace, "before", 1)
	kubeconfig, err := e.AdminKubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	r := e.control(t, kubeconfig, into, "--engine=psp")
	eventually(t, time.Minute, "the controller is ready", r.ready)
	eventually(t, time.Minute, "the report is there", func() bool { return r.metric("psp_advisor_reports 1") })

	const away = 30 * time.Second
	if err := e.StopServer(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	eventually(t, time.Minute, "the controller is not ready without a server", func() bool { return !r.ready() })
	noticed := time.Since(begin)
	for time.Since(begin) < away {
		if r.ready() {
			t.Fatalf("the controller is ready %s after the server was stopped", time.Since(begin))
		}
		if code, body := r.get("/healthz"); code != http.StatusOK {
			t.Fatalf("the controller is not healthy without a server: %d %s", code, body)
		}
		sleep(t.Context(), 500*time.Millisecond)
	}
	if err := e.StartServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	back := eventually(t, time.Minute, "the controller is ready again", r.ready)
	e.set(t, namespace, "after", 2)
	// Each of the watches tries again after up to a minute, with a limit that
	// doubles while the server is away.
	eventually(t, 5*time.Minute, "a workload created after the restart is in the report", func() bool { return e.reports(t, into, namespace, "after") })
	t.Logf("not ready %s after the stop, ready %s after the start, the new workload published %s after it",
		noticed.Round(time.Millisecond), back.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
	eventually(t, 5*time.Minute, "the index is complete again", func() bool {
		index, _ := e.published(t, into)
		return index.Coverage.Complete
	})
}
