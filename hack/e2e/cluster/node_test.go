//go:build e2e

package cluster_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
	"github.com/psp-advisor/psp-advisor/hack/image"
)

// cronJob runs a program that reads the API as its service account.
const cronJob = `
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata: {name: reader}
spec:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  requiredDropCapabilities: [ALL]
  volumes: [secret]
  runAsUser: {rule: MustRunAs, ranges: [{min: 65532, max: 65532}]}
  seLinux: {rule: RunAsAny}
  fsGroup: {rule: RunAsAny}
  supplementalGroups: {rule: RunAsAny}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules:
- {apiGroups: [policy], resources: [podsecuritypolicies], verbs: [use], resourceNames: [reader]}
- {apiGroups: [""], resources: [pods], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: default}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: reader, namespace: default}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          serviceAccountName: reader
          restartPolicy: Never
          containers:
          - name: main
            image: podcount:e2e
            imagePullPolicy: Never
            securityContext:
              runAsUser: 65532
              allowPrivilegeEscalation: false
              readOnlyRootFilesystem: true
              capabilities: {drop: [ALL]}
`

// TestNode runs a real CronJob, once by hand and once by the clock.
func TestNode(t *testing.T) {
	if err := cluster.CheckNode(); err != nil {
		t.Skipf("NOT RUN: this host cannot run a node: %v", err)
	}
	ctx := t.Context()
	binary := filepath.Join(t.TempDir(), "podcount")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./testdata/podcount")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, output)
	}

	begin := time.Now()
	c, err := cluster.Start(ctx, cluster.Options{
		AdmissionPlugins: []string{"PodSecurityPolicy"},
		Node:             true,
		Images:           []image.Image{{Name: "podcount:e2e", Binary: binary}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("ready after %s", time.Since(begin).Round(time.Millisecond))

	kubeconfig, err := c.AdminKubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	kubectl := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, c.Kubectl(), append([]string{"--kubeconfig", kubeconfig}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("kubectl %s: %v\n%s\n%s", strings.Join(args, " "), err, output, describe(t, c, kubeconfig))
		}
		return string(output)
	}
	kubectl(cronJob, "apply", "-f", "-")
	begin = time.Now()
	kubectl("", "create", "job", "by-hand", "--from=cronjob/reader")
	kubectl("", "wait", "--for=condition=complete", "--timeout=3m", "job/by-hand")
	t.Logf("the job by hand completed after %s", time.Since(begin).Round(time.Millisecond))
	// How many it sees depends on whether the clock has struck.
	if logs := kubectl("", "logs", "job/by-hand"); !strings.Contains(logs, "pod(s) as user 65532") {
		t.Errorf("the program printed %q", logs)
	}
	if psp := kubectl("", "get", "pod", "-l", "job-name=by-hand", "-o", `jsonpath={.items[0].metadata.annotations.kubernetes\.io/psp}`); psp != "reader" {
		t.Errorf("the pod was admitted by policy %q", psp)
	}
	testKill(t, c, kubectl)
	// The clock strikes within a minute, and the controller looks every 10 s.
	for deadline := time.Now().Add(4 * time.Minute); ; time.Sleep(time.Second) {
		if kubectl("", "get", "cronjob", "reader", "-o", "jsonpath={.status.lastSuccessfulTime}") != "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no tick of the CronJob completed\n%s", describe(t, c, kubeconfig))
		}
	}
	t.Logf("the job of the clock completed after %s", time.Since(begin).Round(time.Millisecond))
}

const sleeper = `
apiVersion: v1
kind: Pod
metadata: {name: sleeper, namespace: default}
spec:
  serviceAccountName: reader
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: podcount:e2e
    imagePullPolicy: Never
    args: [wait]
    securityContext:
      runAsUser: 65532
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
`

// testKill ends a program and the API server under a running pod: the node
// starts the program again.
func testKill(t *testing.T, c *cluster.Cluster, kubectl func(stdin string, args ...string) string) {
	t.Helper()
	ctx := t.Context()
	kubectl(sleeper, "apply", "-f", "-")
	kubectl("", "wait", "--for=condition=Ready", "--timeout=3m", "pod/sleeper")
	admin, err := c.Admin()
	if err != nil {
		t.Fatal(err)
	}
	pods := kubernetes.NewForConfigOrDie(admin).CoreV1().Pods("default")
	p, err := pods.Get(ctx, "sleeper", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(ctx, p, "main"); err != nil {
		t.Fatal(err)
	}
	if err := c.StopServer(); err != nil {
		t.Fatal(err)
	}
	if err := c.StartServer(ctx); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(300 * time.Millisecond) {
		p, err := pods.Get(ctx, "sleeper", metav1.GetOptions{})
		if err == nil && p.Status.ContainerStatuses[0].RestartCount > 0 && p.Status.ContainerStatuses[0].Ready {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the program was not started again: %v\n%s", err, kubectl("", "get", "pod", "sleeper", "-o", "yaml"))
		}
	}
	kubectl("", "delete", "pod", "sleeper", "--timeout=3m")
}

func describe(t *testing.T, c *cluster.Cluster, kubeconfig string) string {
	t.Helper()
	output, err := exec.Command(c.Kubectl(), "--kubeconfig", kubeconfig, "describe", "pods,jobs,cronjobs").CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return string(output)
}
