//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// TestDiff compares manifests with the clusters that run them, of 1.24 and of today, and
// these with each other.
func TestDiff(t *testing.T) {
	examples := filepath.Join(root(t), "examples", "diff")
	base, head := filepath.Join(examples, "base.yaml"), filepath.Join(examples, "head.yaml")
	servers := map[string]env{"old": start(t, cluster.Options{}), "new": start(t, cluster.Options{Release: cluster.CurrentRelease})}
	config := clientcmdapi.NewConfig()
	for name, e := range servers {
		file, err := e.AdminKubeconfig()
		if err != nil {
			t.Fatal(err)
		}
		own, err := clientcmd.LoadFromFile(file)
		if err != nil {
			t.Fatal(err)
		}
		current := own.Contexts[own.CurrentContext]
		config.Clusters[name], config.AuthInfos[name] = own.Clusters[current.Cluster], own.AuthInfos[current.AuthInfo]
		config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
		for _, namespace := range []string{"shop", "node"} {
			e.ensureNamespace(t, namespace)
		}
		e.kubectl(t, "", "apply", "-f", base)
	}
	kubeconfig := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	diff := func(want int, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), servers["old"].advisor, append([]string{"diff", "--kubeconfig", kubeconfig, "--namespace", "shop,node"}, args...)...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("diff %q: exit code %d, want %d:\n%s%s", args, got, want, out.String(), errs.String())
		}
		return out.String()
	}
	for _, args := range [][]string{{base, "cluster:old"}, {base, "cluster:new"}, {"cluster:new", "cluster:old"}, {"cluster", "cluster:new", "--context", "old"}} {
		if out := diff(0, append(args, "--fail-on", "any")...); out != "" {
			t.Errorf("diff %q: %s", args, out)
		}
	}

	servers["new"].kubectl(t, "", "apply", "-f", head)
	servers["new"].kubectl(t, "", "delete", "cronjob/cleanup", "--namespace", "shop")
	golden, err := os.ReadFile(filepath.Join(examples, "diff.txt"))
	if err != nil {
		t.Fatal(err)
	}
	// In a cluster, a workload has no place.
	want := regexp.MustCompile(`(?m), (base|head)\.yaml:\d+$`).ReplaceAllString(string(golden), "")
	if d := cmp.Diff(want, diff(1, "cluster:old", "cluster:new")); d != "" {
		t.Errorf("from the old cluster to the new one (-want +got):\n%s", d)
	}
	if out := diff(0, head, "cluster:new", "--fail-on", "any"); out != "" {
		t.Errorf("from the manifests to the new cluster:\n%s", out)
	}
}
