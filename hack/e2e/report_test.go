//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// TestReport reports on clusters of 1.24 and of today, applies the remedies, and reports
// again: what is left is what is left of manifests.
func TestReport(t *testing.T) {
	for name, release := range map[string]cluster.Options{"1.24": {}, "current": {Release: cluster.CurrentRelease}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, release)
			kubeconfig, err := e.AdminKubeconfig()
			if err != nil {
				t.Fatal(err)
			}
			example := filepath.Join(root(t), "examples", "report")
			for _, namespace := range []string{"shop", "node"} {
				e.ensureNamespace(t, namespace)
			}
			e.kubectl(t, "", "apply", "-f", filepath.Join(example, "input.yaml"))
			report := func(args ...string) string {
				t.Helper()
				out, err := exec.CommandContext(t.Context(), e.advisor, append([]string{"report", "--kubeconfig", kubeconfig, "--namespace", "shop,node"}, args...)...).Output()
				if err != nil {
					t.Fatalf("report %q: %v", args, err)
				}
				return string(out)
			}
			golden := func(name string) string {
				data, err := os.ReadFile(filepath.Join(example, name))
				if err != nil {
					t.Fatal(err)
				}
				// In a cluster, a workload has no place.
				return regexp.MustCompile(`(?m), (input|rendered)\.yaml:\d+$`).ReplaceAllString(string(data), "")
			}
			const judgedFor = "1.37" // as manifests are
			if d := cmp.Diff(golden("report.txt"), report("--server-version", judgedFor)); d != "" {
				t.Errorf("report (-of manifests +of the cluster):\n%s", d)
			}
			if name == "current" {
				testOpenReports(t, e, report("-o", "openreports"))
			}

			dir := filepath.Join(t.TempDir(), "remedies")
			report("--remedies", dir)
			files, err := filepath.Glob(filepath.Join(dir, "all", "*", "*.*.yaml"))
			if err != nil || len(files) != 3 {
				t.Fatalf("patches %q, %v", files, err)
			}
			for _, file := range files {
				kind, workload, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".yaml"), ".")
				e.kubectl(t, "", "patch", kind, workload, "--namespace", filepath.Base(filepath.Dir(file)), "--type", "strategic", "--patch-file", file)
			}
			if d := cmp.Diff(golden("after.txt"), report("--server-version", judgedFor)); d != "" {
				t.Errorf("report after the remedies (-of manifests +of the cluster):\n%s", d)
			}
		})
	}
}

// testOpenReports applies reports of openreports.io to a server with their definition.
func testOpenReports(t *testing.T, e env, reports string) {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/openreports/reports-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	e.kubectl(t, "", "apply", "-f", filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "openreports.io_reports.yaml"))
	e.kubectl(t, "", "wait", "--for", "condition=established", "--timeout", "2m", "crd/reports.openreports.io")
	e.kubectl(t, reports, "apply", "--validate=strict", "-f", "-")
	got := e.kubectl(t, "", "get", "reports.openreports.io", "--all-namespaces", "-o", "jsonpath={range .items[*]}{.metadata.name} {.summary.fail}{\"\\n\"}{end}")
	want := "advisor.node.daemonset.node-agent 9\nadvisor.shop.cronjob.backup 2\nadvisor.shop.deployment.payments 0\nadvisor.shop.deployment.web 9\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("reports in the cluster (-want +got):\n%s", d)
	}
}
