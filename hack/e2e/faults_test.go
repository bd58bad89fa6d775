//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
	"github.com/psp-advisor/psp-advisor/hack/faults"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
)

// observed are the resources that the advisor lists and watches.
var observed = []string{
	"pods", "replicasets", "jobs", "deployments", "statefulsets", "daemonsets", "cronjobs", "replicationcontrollers", "serviceaccounts",
}

// badWay starts a proxy before the API server on which faults occur, and returns a
// kubeconfig that leads through it.
func (e env) badWay(t *testing.T, s faults.Schedule) (*faults.Transport, string) {
	t.Helper()
	next, err := rest.TransportFor(e.admin)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(e.admin.Host)
	if err != nil {
		t.Fatal(err)
	}
	way := faults.NewTransport(next, s)
	way.PageSize = 3 // so that a small fleet has several pages
	front := httptest.NewUnstartedServer(nil)
	front.Config = way.Server(target)
	front.Start()
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	kubeconfig, err := os.CreateTemp(t.TempDir(), "kubeconfig")
	if err != nil {
		t.Fatal(err)
	}
	_ = kubeconfig.Close()
	const name = "bad"
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: front.URL}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, kubeconfig.Name())
	if err != nil {
		t.Fatal(err)
	}
	return way, kubeconfig.Name()
}

// barePod is a pod without a controller, which nothing runs.
func barePod(namespace, name string, user int64) *corev1.Pod {
	spec := template(namespace, name, user).Spec.Template.Spec
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}
}

// fillSmall creates what has several pages.
func (e env) fillSmall(t *testing.T) {
	t.Helper()
	for n, namespace := range []string{"shop", "team"} {
		e.ensureNamespace(t, namespace)
		accounts := e.client.CoreV1().ServiceAccounts(namespace)
		if _, err := accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			user := int64(1000*(n+1) + i)
			e.set(t, namespace, fmt.Sprintf("web-%d", i), user)
			pod := barePod(namespace, fmt.Sprintf("bare-%d", i), user+100)
			if _, err := e.client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// contents returns the ConfigMaps of a namespace that the advisor wrote, without what the
// server adds.
func (e env) contents(t *testing.T, namespace string) map[string][2]any {
	t.Helper()
	list, err := e.client.CoreV1().ConfigMaps(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: publish.KindLabel})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][2]any{}
	for _, cm := range list.Items {
		all[cm.Name] = [2]any{cm.Data, cm.BinaryData}
	}
	return all
}

// TestFaults runs the advisor over a way on which random faults occur: it prints and
// publishes all or says what it did not. FAULTS is the number of schedules.
func TestFaults(t *testing.T) {
	e := start(t, cluster.Options{})
	e.fillSmall(t)
	e.ensureNamespace(t, "reports")
	count := 120 // about two minutes
	if text := os.Getenv("FAULTS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	engines := []string{"psp", "vap"}
	want := map[string]string{}
	for _, engine := range engines {
		_, undisturbed := e.badWay(t, nil)
		r := e.runAdvisor(t, "inspect", undisturbed, "-A", "--engine", engine)
		if r.code != 0 || r.out == "" {
			t.Fatal(r)
		}
		want[engine] = r.out
	}
	_, undisturbed := e.badWay(t, nil)
	if r := e.runAdvisor(t, "publish", undisturbed, "--report-namespace", "reports"); r.code != 0 {
		t.Fatal(r)
	}
	reports := e.contents(t, "reports")

	about := faults.Requests{faults.List: append([]string{"configmaps"}, observed...), faults.Write: {"configmaps"}, faults.Get: {"configmaps"}, faults.Discovery: {"version", "apis"}}
	random := podtest.Rand(t)
	jobs := make(chan func())
	var workers sync.WaitGroup
	var codes [4]atomic.Int64
	for range 4 { // most of the time they wait for a retry
		workers.Go(func() {
			for job := range jobs {
				job()
			}
		})
	}
	hits := map[faults.Kind]int{}
	var ways []*faults.Transport
	var schedules []faults.Schedule
	for i := range count {
		s := faults.Random(random, about)
		// Of another version are other reports.
		s = slices.DeleteFunc(s, func(f faults.Fault) bool { return f.Kind == faults.Upgraded })
		way, kubeconfig := e.badWay(t, s)
		ways, schedules = append(ways, way), append(schedules, s)
		check := func(problem string, r ran) { t.Errorf("%s with %s: %s", problem, s, r) }
		jobs <- func() {
			if i%3 == 2 {
				into := fmt.Sprintf("reports-%d", i)
				e.ensureNamespace(t, into)
				r := e.runAdvisor(t, "publish", kubeconfig, "--report-namespace", into, "--timeout", "20s")
				codes[max(r.code, 0)].Add(1)
				switch equal := reflect.DeepEqual(e.contents(t, into), reports); {
				case r.code == 0 && !equal:
					check("other reports", r)
				case r.code != 0 && !s.NamedIn(r.errs):
					check("nothing says what is missing", r)
				}
				if index, _, err := follow(context.Background(), e.client, into); err == nil && index.Coverage.Complete && r.code != 0 {
					if cm := e.contents(t, into)[publish.IndexName]; !reflect.DeepEqual(cm, reports[publish.IndexName]) {
						check("the index claims to be complete", r)
					}
				}
				way.Set(nil)
				if r := e.runAdvisor(t, "publish", kubeconfig, "--report-namespace", into); r.code != 0 || !reflect.DeepEqual(e.contents(t, into), reports) {
					check("other reports after another run without faults", r)
				}
				return
			}
			engine := engines[i%3]
			r := e.runAdvisor(t, "inspect", kubeconfig, "-A", "--engine", engine, "--timeout", "20s")
			codes[max(r.code, 0)].Add(1)
			switch {
			case r.code == 0 && r.out != want[engine]:
				check("another output", r)
			case r.code != 0 && (r.code != 3 || r.out != "" || !s.NamedIn(r.errs)):
				check("it fails in another way", r)
			}
		}
	}
	close(jobs)
	workers.Wait()
	for i, way := range ways {
		for n, hit := range way.Hits() {
			hits[schedules[i][n].Kind] += hit
		}
	}
	t.Logf("%d schedules: %d exit with 0, %d with 1, %d with 3; faults of inspect %v", count, codes[0].Load(), codes[1].Load(), codes[3].Load(), hits)
}

// ran is how a command ended.
type ran struct {
	code      int
	out, errs string
}

func (r ran) String() string { return fmt.Sprintf("exit code %d, standard error:\n%s", r.code, r.errs) }

// runAdvisor runs the binary to its end.
func (e env) runAdvisor(t *testing.T, command, kubeconfig string, args ...string) ran {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), e.advisor, append([]string{command, "--kubeconfig", kubeconfig}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the exit code says it
	return ran{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// sample is what the controller uses.
type sample struct{ memory, goroutines float64 }

// sampled reads the controller's own metrics.
func (r *replica) sampled(t *testing.T) (s sample) {
	t.Helper()
	_, body := r.get("/metrics")
	for line := range strings.Lines(body) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		number, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "process_resident_memory_bytes":
			s.memory = number
		case "go_goroutines":
			s.goroutines = number
		}
	}
	if s.memory == 0 || s.goroutines == 0 {
		t.Fatalf("no metrics:\n%s", body)
	}
	return s
}

func median(list []sample, of func(sample) float64) float64 {
	var values []float64
	for _, s := range list {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// TestSoak lets a cluster change for the duration SOAK while faults occur on the way of
// the controller: what it uses does not grow, its reports are right in the end, and
// nothing is written without a change.
func TestSoak(t *testing.T) {
	duration := 4 * time.Minute // with its start and end, CI takes five
	if text := os.Getenv("SOAK"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	e := start(t, cluster.Options{})
	e.fillSmall(t)
	const into = "reports"
	e.ensureNamespace(t, into)
	writes := e.followWrites(t, into)
	way, kubeconfig := e.badWay(t, nil)
	// A pass every other second writes nothing either.
	r := e.control(t, kubeconfig, into, "--engine", "psp", "--resync", "2s")
	healthy := func() bool {
		return r.ready() && r.metric("psp_advisor_gaps 0") && r.metric("psp_advisor_stale_reports 0") && r.leads()
	}
	eventually(t, time.Minute, "the controller is ready", healthy)

	about := faults.Requests{
		faults.List: append([]string{"configmaps"}, observed...), faults.Watch: observed, faults.Write: {"configmaps", "leases"}, faults.Get: {"configmaps", "leases"}, faults.Discovery: {"version"},
	}
	random := podtest.Rand(t)
	hits := map[faults.Kind]int{}
	var samples []sample
	rounds := 0
	for deadline := time.Now().Add(duration); time.Now().Before(deadline) || len(samples) < 6; {
		s := faults.Random(random, about)
		// What is silent takes minutes to be noticed, and is tried without a server.
		s = slices.DeleteFunc(s, func(f faults.Fault) bool { return f.Kind == faults.Silent })
		way.Set(s)
		for range 20 {
			rounds++
			e.churn(t, random, rounds)
			sleep(t.Context(), 100*time.Millisecond)
		}
		for n, hit := range way.Hits() {
			hits[s[n].Kind] += hit
		}
		way.Set(nil)
		eventually(t, 5*time.Minute, "the controller is healthy after "+s.String(), healthy)
		samples = append(samples, r.sampled(t))
	}
	for _, namespace := range []string{"shop", "team"} {
		fresh := e.runAdvisor(t, "inspect", kubeconfig, "-n", namespace, "--engine", "psp")
		if fresh.code != 0 {
			t.Fatal(fresh)
		}
		eventually(t, 5*time.Minute, "the report of "+namespace+" is that of inspect", func() bool {
			_, policies := e.published(t, into)
			return policies[namespace] == fresh.out
		})
	}
	before, passes := writes.count(), r.passes(t)
	eventually(t, 5*time.Minute, "five more passes", func() bool { return r.passes(t) >= passes+5 })
	if after := writes.count(); after != before {
		t.Errorf("%d ConfigMaps were written without a change of the cluster", after-before)
	}
	if same := writes.withoutChange(); len(same) > 0 {
		t.Errorf("written without another content: %q", same)
	}
	third := max(len(samples)/3, 1)
	early, late := samples[:third], samples[len(samples)-third:]
	memory := func(s sample) float64 { return s.memory / (1 << 20) }
	goroutines := func(s sample) float64 { return s.goroutines }
	t.Logf("%d rounds, %d schedules, faults %v; %d writes; memory %.0f, then %.0f MiB; goroutines %.0f, then %.0f", rounds, len(samples), hits, before,
		median(early, memory), median(late, memory), median(early, goroutines), median(late, goroutines))
	if m := median(late, memory); m > 1.5*median(early, memory)+32 {
		t.Errorf("memory grows: %v", samples)
	}
	if g := median(late, goroutines); g > median(early, goroutines)+50 {
		t.Errorf("the number of goroutines grows: %v", samples)
	}
}

// passes returns the number of passes that succeeded.
func (r *replica) passes(t *testing.T) int {
	t.Helper()
	_, body := r.get("/metrics")
	_, rest, _ := strings.Cut(body, `psp_advisor_passes_total{result="succeeded"} `)
	text, _, _ := strings.Cut(rest, "\n")
	n, _ := strconv.ParseFloat(text, 64)
	return int(n)
}

// churn changes one object.
func (e env) churn(t *testing.T, r *rand.Rand, round int) {
	t.Helper()
	ctx, namespace, name := t.Context(), podtest.Pick(r, "shop", "team"), fmt.Sprintf("web-%d", r.IntN(8))
	var err error
	switch r.IntN(4) {
	case 0:
		err = e.client.AppsV1().Deployments(namespace).Delete(ctx, name, metav1.DeleteOptions{})
	case 1:
		_, err = e.client.CoreV1().Pods(namespace).Create(ctx, barePod(namespace, "churned-"+name, int64(round)), metav1.CreateOptions{})
	case 2:
		err = e.client.CoreV1().Pods(namespace).Delete(ctx, "churned-"+name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
	default:
		e.set(t, namespace, name, int64(round))
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// written are the writes of ConfigMaps in a namespace.
type written struct {
	mu   sync.Mutex
	n    int
	same []string
	// deleted and reindexed are numbers: the index is written without another content
	// before obsolete reports are deleted, to stop concurrent writers.
	deleted, reindexed int
}

func (w *written) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

// withoutChange returns the ConfigMaps that were written without another content.
func (w *written) withoutChange() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	same := slices.Clone(w.same)
	if w.reindexed > w.deleted {
		same = append(same, publish.IndexName)
	}
	return same
}

// followWrites watches the ConfigMaps of a namespace directly.
func (e env) followWrites(t *testing.T, namespace string) *written {
	t.Helper()
	events, err := e.client.CoreV1().ConfigMaps(namespace).Watch(context.Background(), metav1.ListOptions{LabelSelector: publish.KindLabel, TimeoutSeconds: new(int64(24 * 3600))})
	if err != nil {
		t.Fatal(err)
	}
	w, done := &written{}, make(chan struct{})
	var stopped atomic.Bool
	go func() {
		defer close(done)
		last := map[string]*corev1.ConfigMap{}
		for event := range events.ResultChan() {
			cm, ok := event.Object.(*corev1.ConfigMap)
			if !ok {
				if !stopped.Load() {
					t.Errorf("the watch of the test ends: %v", event.Object)
				}
				return
			}
			w.note(event.Type, last[cm.Name], cm)
			last[cm.Name] = cm
		}
	}()
	t.Cleanup(func() {
		stopped.Store(true)
		events.Stop()
		<-done
	})
	return w
}

func (w *written) note(event watch.EventType, before, after *corev1.ConfigMap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	switch {
	case event == watch.Deleted:
		w.deleted++
	case event != watch.Modified || before == nil:
	case !reflect.DeepEqual(before.Data, after.Data) || !reflect.DeepEqual(before.BinaryData, after.BinaryData):
	case after.Name == publish.IndexName:
		w.reindexed++
	case before.Annotations[publish.RenewedAnnotation] == after.Annotations[publish.RenewedAnnotation]:
		w.same = append(w.same, after.Name)
	}
}
