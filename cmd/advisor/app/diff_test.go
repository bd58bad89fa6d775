package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: staging
contexts:
- {name: staging, context: {cluster: staging, user: u}}
- {name: production, context: {cluster: production, user: u}}
clusters:
- {name: staging, cluster: {server: http://staging.example}}
- {name: production, cluster: {server: http://production.example}}
users:
- {name: u, user: {}}
`

// TestDiffClusters: a side is a file, the cluster of the current context, or that of
// another one.
func TestDiffClusters(t *testing.T) {
	privileged := runningPod("shop", "web")
	privileged.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
	staging, _ := apitest.Serve(t, runningPod("shop", "web"))
	production, _ := apitest.Serve(t, privileged)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("config", []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, code int, args ...string) result {
		t.Helper()
		var out, errs bytes.Buffer
		env := environment{Streams: Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, name: "advisor", engines: engines(), wrap: func(c *rest.Config) *rest.Config {
			c.Transport = map[string]*apitest.Server{"http://staging.example": staging, "http://production.example": production}[c.Host]
			return c
		}}
		got := env.run(t.Context(), append([]string{"diff", "--kubeconfig", "config"}, args...))
		return result{got, out.String(), errs.String()}.expect(t, code)
	}
	const up = "shop Pod/web\n  + critical  privileged (container c)\n"
	if r := run(t, exitDrift, "cluster", "cluster:production"); r.out != up {
		t.Errorf("from staging to production: %s", r)
	}
	if r := run(t, exitOK, "cluster:production", "cluster"); !strings.HasPrefix(r.out, "shop Pod/web\n  - critical  privileged (container c)\n") {
		t.Errorf("from production to staging: %s", r)
	}
	if r := run(t, exitDrift, "cluster:staging", "cluster", "--context", "production"); r.out != up {
		t.Errorf("from staging to the context of the flag: %s", r)
	}
	want := result{exitOK, "", "base: 1 pod and 0 templates\nhead: 1 pod and 0 templates\nno workload differs\n"}
	if diff := cmp.Diff(want, run(t, exitOK, "cluster", "cluster:staging"), cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r := run(t, exitFailure, "cluster", "cluster:none"); r.out != "" || !strings.Contains(r.errs, `context "none" does not exist`) {
		t.Errorf("an unknown context: %s", r)
	}
	// A file of that name.
	if err := os.WriteFile("cluster", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec: {serviceAccountName: web, containers: [{name: c, image: x}]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run(t, exitOK, "cluster", "."+string(filepath.Separator)+"cluster", "--fail-on", "never"); !strings.Contains(r.errs, "head: 1 pod and 0 templates") && !strings.Contains(r.errs, "head: 0 pods") {
		t.Errorf("a file: %s", r)
	}
}

// TestDiffIncomplete: nothing is compared with a part of a cluster, unless that was asked
// for.
func TestDiffIncomplete(t *testing.T) {
	server, config := apitest.Serve(t, runningPod("shop", "web"))
	forbid("cronjobs")(server)
	c := newClient(config)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("empty.yaml", []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := c.run(t.Context(), "diff", "empty.yaml", "cluster").expect(t, exitFailure)
	if r.out != "" || !strings.Contains(r.errs, "head: not observed: cronjobs.batch in all namespaces: ") || !strings.Contains(r.errs, "advisor: 1 gap in the head, see above: grant the permissions, or set --allow-partial\n") {
		t.Errorf("%s", r)
	}
	r = c.run(t.Context(), "diff", "empty.yaml", "cluster", "--allow-partial", "--fail-on", "never").expect(t, exitOK)
	if !strings.Contains(r.out, "shop Pod/web (new)\n") {
		t.Errorf("%s", r)
	}
	server.Authorize = nil
	withUnknownVolume(server)
	r = c.run(t.Context(), "diff", "empty.yaml", "cluster").expect(t, exitFailure)
	if r.out != "" || !strings.Contains(r.errs, "there are volumes in the head that this version does not know") {
		t.Errorf("%s", r)
	}
}
