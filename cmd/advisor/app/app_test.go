package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

// TestMain keeps the kubeconfig of whoever runs the tests out of them, and the logs
// of libraries.
func TestMain(m *testing.M) {
	if err := os.Setenv("KUBECONFIG", filepath.Join(os.TempDir(), "no-such-kubeconfig")); err != nil {
		panic(err)
	}
	klog.SetLogger(klog.Logger{})
	m.Run()
}

// result is what a command has printed, and its exit code.
type result struct {
	code      int
	out, errs string
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d, standard output\n%s\nstandard error\n%s", r.code, r.out, r.errs)
}

// expect fails the test unless the command ended with that code.
func (r result) expect(t testing.TB, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d; standard error:\n%s", r.code, code, r.errs)
	}
	return r
}

// run runs a command line that needs no server.
func run(t testing.TB, in string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := environment{Streams: Streams{In: strings.NewReader(in), Out: &out, Err: &errs}, name: "advisor", engines: engines()}.run(t.Context(), args)
	return result{code, out.String(), errs.String()}
}

// client runs commands against a server.
type client struct {
	config  *rest.Config
	engines []engine
}

func newClient(config *rest.Config) client { return client{config, engines()} }

// run runs a command line.
func (c client) run(ctx context.Context, args ...string) result {
	var out, errs bytes.Buffer
	code := c.environment(Streams{In: strings.NewReader(""), Out: &out, Err: &errs}).run(ctx, append(args, "--server", c.config.Host))
	return result{code, out.String(), errs.String()}
}

// runLocally runs a command line that needs no server.
func (c client) runLocally(ctx context.Context, args ...string) result {
	var out, errs bytes.Buffer
	code := c.environment(Streams{In: strings.NewReader(""), Out: &out, Err: &errs}).run(ctx, args)
	return result{code, out.String(), errs.String()}
}

func (c client) environment(streams Streams) environment {
	return environment{Streams: streams, name: "advisor", engines: c.engines, wrap: func(config *rest.Config) *rest.Config {
		config.Transport = c.config.Transport
		return config
	}}
}

// objects reads the objects of manifests.
func objects(t testing.TB, files ...string) []runtime.Object {
	t.Helper()
	decoder := serializer.NewCodecFactory(apitest.Scheme()).UniversalDeserializer()
	var list []runtime.Object
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join("../../..", file))
		if err != nil {
			t.Fatal(err)
		}
		for doc := range strings.SplitSeq("\n"+string(data), "\n---\n") {
			if strings.TrimSpace(doc) == "" {
				continue
			}
			o, err := runtime.Decode(decoder, []byte(doc))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			list = append(list, o)
		}
	}
	return list
}

// runningPod is a pod that has no controller.
func runningPod(namespace, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.PodSpec{ServiceAccountName: name, Containers: []corev1.Container{{Name: "c", Image: "example/c:1"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
}

// second is an engine beside that of PodSecurityPolicies: the same decisions, under
// another name.
func second() engine {
	return engine{name: "second", build: func(engineOptions) generate.Engine {
		e := psp.Engine()
		e.Name, e.Resource.Resource, e.Note = "second", "secondpolicies", "install it first"
		return e
	}}
}

// running is a command that goes on until it is asked to stop.
type running struct {
	cancel context.CancelFunc
	done   chan result
	log    *lockedBuffer
}

// controller runs the command, and returns when it leads.
func (c client) controller(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{cancel: cancel, done: make(chan result, 1), log: &lockedBuffer{changed: make(chan struct{}, 1)}}
	args = append(append([]string{"controller", "--listen-address", "127.0.0.1:0"}, args...), "--server", c.config.Host)
	go func() {
		var out bytes.Buffer
		code := c.environment(Streams{In: strings.NewReader(""), Out: &out, Err: r.log}).run(ctx, args)
		r.done <- result{code, out.String(), r.log.String()}
	}()
	t.Cleanup(func() { r.stop() })
	r.waitForLog(t, "Successfully acquired lease")
	return r
}

// waitForLog waits until the log holds a text.
func (r *running) waitForLog(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(time.Minute)
	for !strings.Contains(r.log.String(), text) {
		select {
		case <-r.log.changed:
		case ended := <-r.done:
			r.done <- ended
			t.Fatalf("ended before it logged %q: %s", text, ended)
		case <-timeout:
			t.Fatalf("%q is not logged:\n%s", text, r.log)
		}
	}
}

// stop asks the command to end, and returns what it printed.
func (r *running) stop() result {
	r.cancel()
	ended := <-r.done
	r.done <- ended
	return ended
}

// lockedBuffer is a buffer that may be read while it is written to.
type lockedBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.changed <- struct{}{}:
	default:
	}
	return b.text.Write(data)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// itemsOfList returns the items of a List in JSON.
func itemsOfList(t testing.TB, text string) []any {
	t.Helper()
	var list struct {
		APIVersion, Kind string
		Items            []any
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	if list.APIVersion != "v1" || list.Kind != "List" {
		t.Fatalf("a %s of %s, want a List of v1", list.Kind, list.APIVersion)
	}
	return list.Items
}

// readTree returns the files below a directory, by path.
func readTree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestLibrariesAreSilent: what client-go logs goes nowhere, errors included; a
// command's own error says it all.
func TestLibrariesAreSilent(t *testing.T) {
	captured, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer captured.Close()
	stderr := os.Stderr
	os.Stderr = captured
	defer func() { os.Stderr = stderr }()
	klog.ClearLogger()
	if code := Run(t.Context(), "advisor", []string{"version"}, Streams{Out: io.Discard, Err: io.Discard}); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	klog.Error("something is wrong")
	klog.Background().Error(nil, "something is wrong")
	klog.Flush()
	if text, err := os.ReadFile(captured.Name()); err != nil || len(text) > 0 {
		t.Errorf("%v, logged %q", err, text)
	}
}

// broken fails to write anything that holds a text.
type broken struct{ text string }

func (w broken) Write(data []byte) (int, error) {
	if strings.Contains(string(data), w.text) {
		return 0, fs.ErrClosed
	}
	return len(data), nil
}

// TestStreamsFail: what cannot be written is a failure, whichever stream it is.
func TestStreamsFail(t *testing.T) {
	_, c := reports(t)
	for _, tc := range []struct {
		out, errs string // what cannot be written
		args      []string
	}{
		{"kind", "no", []string{"inspect", "-n", "shop"}},
		{"no", "2 pods", []string{"inspect", "-n", "shop"}},
		{"+++ b/", "no", []string{"inspect", "--output-dir", filepath.Join(t.TempDir(), "policies"), "--check"}},
		{"no", "files changed", []string{"inspect", "--output-dir", filepath.Join(t.TempDir(), "policies")}},
		{"no", "2 reports", []string{"publish", "--report-namespace", "reports"}},
		{"NAMESPACE", "no", []string{"get-report", "--report-namespace", "reports"}},
		{"no", "2 reports", []string{"get-report", "--report-namespace", "reports"}},
		{"kind", "no", []string{"get-report", "--report-namespace", "reports", "-n", "shop"}},
		{"no", "2 pods", []string{"get-report", "--report-namespace", "reports", "-n", "shop"}},
	} {
		args := append(tc.args, "--server", c.config.Host)
		if code := c.environment(Streams{In: strings.NewReader(""), Out: broken{tc.out}, Err: broken{tc.errs}}).run(t.Context(), args); code != exitFailure {
			t.Errorf("%v without %q and %q: exit code %d", tc.args, tc.out, tc.errs, code)
		}
	}
	for _, args := range [][]string{{"version"}, {"completion", "bash"}} {
		if code := Run(t.Context(), "advisor", args, Streams{Out: broken{}, Err: broken{"no"}}); code != exitFailure {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}

// TestWrongFlags: all that is wrong with the flags is reported at once, a line each.
func TestWrongFlags(t *testing.T) {
	for _, tc := range []struct{ args, flags string }{
		{
			"inspect --level pod --source nodes -o table --check -R --skip-invalid --engine none -A -n Shop --exclude-namespaces Shop -l (in --timeout -1s --source-name \x00 --server-version 1.23 --enforcement none --unknown-accounts x --params file",
			"all-namespaces check enforcement engine exclude-namespaces exclude-namespaces level namespace output params recursive selector server-version skip-invalid source source-name timeout unknown-accounts",
		},
		{"inspect --output-file f --output-dir d -o json", "output output-file"},
		{"publish --report-namespace R --engine none --all-namespaces=false", "all-namespaces engine report-namespace"},
		{"get-report --report-namespace R -n N --engine none -o xml", "engine namespace output report-namespace"},
		{"get-report -n shop -o index --report-namespace=", "output report-namespace"},
	} {
		r := run(t, "", strings.Split(tc.args, " ")...).expect(t, exitUsage)
		var flags []string
		for line := range strings.Lines(r.errs) {
			flag, _, _ := strings.Cut(strings.TrimPrefix(line, "advisor: --"), ":")
			flag, _, _ = strings.Cut(flag, " ")
			flags = append(flags, flag)
		}
		slices.Sort(flags)
		if diff := cmp.Diff(strings.Split(tc.flags, " "), flags); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%s", tc.args, diff, r.errs)
		}
	}
}
