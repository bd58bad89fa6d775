//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
	"github.com/psp-advisor/psp-advisor/hack/image"
)

// What the shipped manifests are called.
const (
	home      = "psp-advisor" // namespace, account and workload
	homeImage = "psp-advisor:latest"
	ownPolicy = "advisor.psp-advisor.sa.psp-advisor"
)

// everyMinute is an overlay over a shipped one that does not let a test wait for
// half an hour.
const everyMinute = `
resources: ["%"]
patches:
- target: {kind: CronJob}
  patch: |-
    - op: replace
      path: /spec/schedule
      value: "* * * * *"
`

// startNode runs a cluster with a node that has the advisor's image, and enforces
// policies: only accounts of the namespace shop may do what they want.
func startNode(t *testing.T) env {
	t.Helper()
	if err := cluster.CheckNode(); err != nil {
		t.Skipf("NOT RUN: this host cannot run a node: %v", err)
	}
	e := start(t, cluster.Options{
		AdmissionPlugins: []string{"PodSecurityPolicy"},
		Node:             true,
		Images:           []image.Image{image.Advisor(homeImage, buildAdvisor(t), "", "")},
	})
	e.kubectl(t, permissive, "apply", "-f", "-")
	e.grant(t, "permissive", []rbacv1.PolicyRule{{
		APIGroups: []string{"policy"}, Resources: []string{"podsecuritypolicies"},
		ResourceNames: []string{"e2e-permissive"}, Verbs: []string{"use"},
	}}, rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "system:serviceaccounts:shop"})
	e.kubectl(t, "", "apply", "-f", filepath.Join(root(t), "examples", "web-shop", "input.yaml"))
	return e
}

// root is the top directory of the repository.
func root(t testing.TB) string {
	t.Helper()
	directory, err := cluster.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return directory
}

// install applies a kustomization, and the policy that its pods need.
func (e env) install(t *testing.T, kustomization string) {
	t.Helper()
	e.kubectl(t, "", "apply", "-k", kustomization)
	e.kubectl(t, "", "apply", "-f", filepath.Join(root(t), "manifests", "psp", "policies.yaml"))
}

// overlay writes an overlay over a shipped one.
func overlay(t *testing.T, name, text string) string {
	t.Helper()
	directory := t.TempDir()
	// Kustomize takes no absolute paths.
	base, err := filepath.Rel(directory, filepath.Join(root(t), "manifests", "overlays", name))
	if err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, "%", base)
	if err := os.WriteFile(filepath.Join(directory, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return directory
}

// TestInCluster installs the advisor as its users do, on a node that runs it
// under the policy that it wrote for itself.
func TestInCluster(t *testing.T) {
	t.Parallel() // it waits for the clock
	e := startNode(t)
	t.Run("CronJob", e.testCronJob)
	t.Run("controller", e.testControllerPods)
	t.Run("README", e.testReadme)
}

// testCronJob waits for one tick of the clock.
func (e env) testCronJob(t *testing.T) {
	e.install(t, overlay(t, "cronjob", everyMinute))
	begin := time.Now()
	defer func() {
		if t.Failed() {
			t.Logf("%s", e.kubectl(t, "", "describe", "--namespace", home, "cronjobs,jobs,pods"))
		}
	}()
	eventually(t, 4*time.Minute, "a Job of the CronJob is complete", func() bool {
		jobs, err := e.client.BatchV1().Jobs(home).List(t.Context(), metav1.ListOptions{})
		return err == nil && len(jobs.Items) > 0 && jobs.Items[0].Status.Succeeded > 0
	})
	t.Logf("the first tick was complete after %s", time.Since(begin).Round(time.Millisecond))
	e.underOwnPolicy(t)
	e.kubectl(t, "", "patch", "--namespace", home, "cronjob", home, "--patch", `{"spec": {"suspend": true}}`)

	const user = "outside"
	e.grantReadAll(t, user)
	index, policies := e.published(t, home)
	if !index.Coverage.Complete {
		t.Errorf("the index is not complete: %v", index.Coverage.Gaps)
	}
	for _, namespace := range []string{"shop", home} {
		if policies[namespace] == "" {
			t.Errorf("no policies are published for namespace %s", namespace)
		}
	}
	for namespace, text := range policies {
		if outside, _ := e.inspect(t, user, "-n", namespace); text != outside {
			t.Errorf("for namespace %s, published and inspected from outside differ:%s", namespace, difference(text, outside))
		}
	}
	t.Logf("the policies of %d namespaces are those that inspect prints from outside", len(policies))
}

// testControllerPods runs both replicas.
func (e env) testControllerPods(t *testing.T) {
	e.kubectl(t, "", "delete", "cronjob", "--all", "--namespace", home)
	e.install(t, filepath.Join(root(t), "manifests", "overlays", "controller"))
	defer func() {
		if t.Failed() {
			t.Logf("%s", e.kubectl(t, "", "describe", "--namespace", home, "deployments,pods"))
		}
	}()
	begin := time.Now()
	e.kubectl(t, "", "rollout", "status", "deployment", home, "--namespace", home, "--timeout=3m")
	t.Logf("ready after %s", time.Since(begin).Round(time.Millisecond))
	e.underOwnPolicy(t)
	begin = time.Now()
	e.set(t, "shop", "newcomer", 4711)
	eventually(t, 3*time.Minute, "the report shows a new workload", func() bool { return e.reports(t, home, "shop", "newcomer") })
	t.Logf("a new workload was published after %s", time.Since(begin).Round(time.Millisecond))
}

// underOwnPolicy checks which policy admitted the advisor's pods.
func (e env) underOwnPolicy(t *testing.T) {
	t.Helper()
	pods, err := e.client.CoreV1().Pods(home).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods.Items {
		if policy := p.Annotations["kubernetes.io/psp"]; policy != ownPolicy {
			t.Errorf("pod %s was admitted by policy %q, want %q", p.Name, policy, ownPolicy)
		}
	}
	if len(pods.Items) == 0 {
		t.Error("no pods of the advisor")
	}
}

// shell finds the blocks of README.md that are for a cluster.
var shell = regexp.MustCompile("(?s)```sh\n(.*?)```\n")

// moving is the section of README.md that needs two clusters; see TestMovingOn.
const moving = "Moving on from PodSecurityPolicy"

// readmeBlocks returns the blocks for a cluster of README.md that are in a section, or
// in no such section.
func readmeBlocks(t *testing.T, section string, in bool) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for part := range strings.SplitSeq(string(text), "\n## ") {
		if strings.HasPrefix(part, section+"\n") != in {
			continue
		}
		for _, block := range shell.FindAllStringSubmatch(part, -1) {
			blocks = append(blocks, block[1])
		}
	}
	return blocks
}

// testReadme runs what README.md tells the users of a cluster to do, in order.
func (e env) testReadme(t *testing.T) {
	e.kubectl(t, "", "delete", "-k", filepath.Join(root(t), "manifests", "overlays", "controller"))
	blocks := readmeBlocks(t, moving, false)
	if len(blocks) < 5 {
		t.Fatalf("README.md has %d blocks for a cluster", len(blocks))
	}
	for _, block := range blocks {
		e.shell(t, root(t), block)
	}
}

// shell runs a script as the admin, and returns what it prints.
func (e env) shell(t *testing.T, dir, script string, environment ...string) string {
	t.Helper()
	kubeconfig, err := e.AdminKubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "KUBECONFIG="+kubeconfig,
		"PATH="+strings.Join([]string{filepath.Dir(e.advisor), filepath.Dir(e.Kubectl()), os.Getenv("PATH")}, ":")), environment...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s%v\n%s", script, err, output)
	}
	t.Logf("%sworks, and took %s", script, time.Since(begin).Round(time.Millisecond))
	return string(output)
}
