package faults_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/psp-advisor/psp-advisor/cmd/advisor/app"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"
)

var (
	schedules = flag.Int("schedules", 360, "number of random schedules, most of them for inspect, the fewest for the controller")
	replay    = flag.String("replay", "", "a schedule in JSON to run instead of random ones")
)

// pageSize is the number of objects on a page: the fleet has two of each kind and
// namespace, and more pods.
const pageSize = 2

// advisor is the command, in this process.
type advisor struct {
	kubeconfig string
	// way is how the running command reaches the server.
	way http.RoundTripper
}

// newAdvisor returns a command whose connection is a transport. The command makes its
// connection from a kubeconfig file; client-go's hook for authentication replaces it.
func newAdvisor(t *testing.T) *advisor {
	t.Helper()
	a := &advisor{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	name := fmt.Sprintf("%s-%d", t.Name(), rand.Uint64()) // -count=2 registers it again
	err := rest.RegisterAuthProviderPlugin(name, func(string, map[string]string, rest.AuthProviderConfigPersister) (rest.AuthProvider, error) {
		return a, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: "https://api.example"}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {AuthProvider: &clientcmdapi.AuthProviderConfig{Name: name}}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	}, a.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// WrapTransport implements rest.AuthProvider.
func (a *advisor) WrapTransport(http.RoundTripper) http.RoundTripper { return a.way }

// Login implements rest.AuthProvider.
func (a *advisor) Login() error { return nil }

// result is how a command ended.
type result struct {
	code      int
	out, errs string
}

func (r result) String() string {
	var errs strings.Builder
	for line := range strings.Lines(r.errs) {
		if !strings.Contains(line, "is used by workloads with different privileges") { // as without faults
			errs.WriteString(line)
		}
	}
	return fmt.Sprintf("exit code %d, standard error:\n%sstandard output has %d bytes", r.code, errs.String(), len(r.out))
}

// patience is more than any command needs, which has a timeout of its own.
const patience = time.Hour

// run runs a command line over a transport.
func (a *advisor) run(ctx context.Context, way http.RoundTripper, args ...string) result {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a.way = way
	var out, errs bytes.Buffer
	code := app.Run(ctx, "advisor", append(args, "--kubeconfig", a.kubeconfig), app.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	synctest.Wait() // client-go may log that it gives up a request, and the next run sets the log
	r := result{code, out.String(), errs.String()}
	if ctx.Err() != nil {
		r.errs += "the test had to end it\n"
		r.code = -1
	}
	return r
}

// inBubble runs f with a server, in a bubble where time passes as soon as everybody
// waits.
func inBubble(t *testing.T, objects []runtime.Object, f func(t *testing.T, server *apitest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server, _ := apitest.Serve(t, objects...)
		f(t, server)
	})
}

// TestMain keeps the kubeconfig of whoever runs the tests out of them, and the logs of
// libraries and controllers.
func TestMain(m *testing.M) {
	if err := os.Setenv("KUBECONFIG", filepath.Join(os.TempDir(), "no-such-kubeconfig")); err != nil {
		panic(err)
	}
	klog.SetLogger(klog.Logger{})
	m.Run()
}

// TestEveryObjectShows: the output of inspect is another one without any object of the
// fleet. So a run that misses one is noticed.
func TestEveryObjectShows(t *testing.T) {
	a := newAdvisor(t)
	inspect := func(objects []runtime.Object) (r result) {
		inBubble(t, objects, func(t *testing.T, server *apitest.Server) {
			r = a.run(t.Context(), server, "inspect", "-A", "--engine", "psp")
		})
		return r
	}
	all := fleet("shop", "team")
	want := inspect(all)
	if want.code != 0 {
		t.Fatal(want)
	}
	for i, o := range all {
		without := append(append([]runtime.Object{}, all[:i]...), all[i+1:]...)
		if r := inspect(without); r.code != 0 || r.out == want.out {
			t.Errorf("without %T %+v: the output is the same; %s", o, o, r)
		}
	}
}
