//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// auditPolicy logs the creation of pods.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create]
  resources: [{group: "", resources: [pods]}]
`

// TestMovingOn follows README.md from a cluster with PodSecurityPolicies to one of
// today: what ran there is admitted here, and what goes beyond is at first told, then
// refused.
func TestMovingOn(t *testing.T) {
	blocks := readmeBlocks(t, moving, true)
	if len(blocks) != 4 {
		t.Fatalf("README.md has %d steps", len(blocks))
	}
	dir := t.TempDir()
	web := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.PodSpec{ServiceAccountName: "web", Containers: []corev1.Container{{
			Name: "web", Image: "none", SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false)},
		}}},
	}
	create := func(ctx context.Context, e env, name string, tweak func(*corev1.Pod)) error {
		pod := web.DeepCopy()
		pod.Name = name
		tweak(pod)
		_, err := e.client.CoreV1().Pods("shop").Create(ctx, pod, metav1.CreateOptions{})
		return err
	}
	same := func(*corev1.Pod) {}
	escalating := func(p *corev1.Pod) { p.Spec.Containers[0].SecurityContext = nil }
	prepare := func(e env) {
		e.ensureNamespace(t, "shop")
		if _, err := e.client.CoreV1().ServiceAccounts("shop").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "web"}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}

	old := start(t, cluster.Options{})
	prepare(old)
	if err := create(t.Context(), old, "web", same); err != nil {
		t.Fatal(err)
	}
	old.shell(t, dir, blocks[0])

	audit, log := filepath.Join(dir, "audit.yaml"), filepath.Join(dir, "audit.log")
	if err := os.WriteFile(audit, []byte(auditPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	e := start(t, cluster.Options{Release: cluster.CurrentRelease, APIServerFlags: []string{"--audit-policy-file=" + audit, "--audit-log-path=" + log}})
	prepare(e)
	e.kubectl(t, "", "label", "namespace/shop", "team=shop")
	e.shell(t, dir, blocks[1])
	shop, err := e.client.CoreV1().Namespaces().Get(t.Context(), "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for label, want := range map[string]string{"team": "shop", "psp-advisor.github.io/permits": "annotation", "pod-security.kubernetes.io/enforce": "baseline"} {
		if shop.Labels[label] != want {
			t.Errorf("label %s is %q, want %q", label, shop.Labels[label], want)
		}
	}

	if err := create(t.Context(), e, "web", same); err != nil {
		t.Errorf("what ran on the old cluster: %v", err)
	}
	// Pods that go beyond are told, once the policy is in force.
	n := 0
	await(t, func(ctx context.Context) error {
		n++
		if err := create(ctx, e, fmt.Sprintf("beyond-%d", n), escalating); err != nil {
			return err
		}
		logged, err := os.ReadFile(log)
		if err == nil && !strings.Contains(string(logged), "validation_failure") {
			err = errors.New("no audit annotation yet")
		}
		return err
	})
	told := e.shell(t, dir, blocks[2], "AUDIT_LOG="+log)
	if want := "service account web may not: allowPrivilegeEscalation (container web)"; !strings.Contains(told, want) {
		t.Errorf("the audit log says\n%swant %q", told, want)
	}

	// Nobody wants that pod: it goes, and what is left is enforced.
	e.kubectl(t, "", "delete", "pods", "-n", "shop", "--all", "--grace-period=0", "--force")
	if err := create(t.Context(), e, "web", same); err != nil {
		t.Fatal(err)
	}
	e.shell(t, dir, blocks[3])
	await(t, func(ctx context.Context) error {
		n++
		err := create(ctx, e, fmt.Sprintf("beyond-%d", n), escalating)
		switch {
		case err == nil:
			return errors.New("a pod that goes beyond its permits is admitted")
		case !apierrors.IsForbidden(err):
			return err
		default:
			return nil
		}
	})
	if err := create(t.Context(), e, "web-2", same); err != nil {
		t.Errorf("what is permitted: %v", err)
	}
}
