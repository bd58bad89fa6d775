//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// TestFollowController applies the reports of a running controller: pods that are
// permitted are created, others are refused, until an administrator adds a workload
// that asks for more.
func TestFollowController(t *testing.T) {
	t.Parallel()
	e := start(t, cluster.Options{Release: cluster.CurrentRelease})
	const into, namespace, web, batch = "reports", "shop", "web", "batch"
	e.ensureNamespace(t, into)
	e.ensureNamespace(t, namespace)
	for _, account := range []string{web, batch} {
		if _, err := e.client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	spec := func(account string, escalating bool) corev1.PodSpec {
		return corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{
			Name: "main", Image: "none", SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &escalating},
		}}}
	}
	create := func(ctx context.Context, name string, spec corev1.PodSpec) error {
		_, err := e.client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, metav1.CreateOptions{})
		return err
	}
	refused := func(ctx context.Context, spec corev1.PodSpec, want string) error {
		_, err := e.client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "refused"}, Spec: spec},
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
			return fmt.Errorf("got %w, want a refusal that says %q", err, want)
		}
		return nil
	}
	if err := create(t.Context(), "web-1", spec(web, false)); err != nil {
		t.Fatal(err)
	}

	kubeconfig, err := e.AdminKubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	r := e.control(t, kubeconfig, into, "--enforcement=deny")
	report := func(want string) string {
		var policies bytes.Buffer
		eventually(t, time.Minute, "the report has "+want, func() bool {
			policies.Reset()
			cmd := e.command(t.Context(), "get-report", kubeconfig, into, "--namespace", namespace)
			cmd.Stdout = &policies
			code, _ := finish(t, cmd)
			return code == 0 && strings.Contains(policies.String(), want)
		})
		return policies.String()
	}
	first := report("[" + web + "]")
	e.apply(t, first)
	beyond := "service account web may not: allowPrivilegeEscalation (container main)"
	await(t, func(ctx context.Context) error { return refused(ctx, spec(web, true), beyond) })
	if err := create(t.Context(), "web-2", spec(web, false)); err != nil {
		t.Errorf("what is permitted: %v", err)
	}
	if err := refused(t.Context(), spec(batch, true), "service account batch may not have pods"); err != nil {
		t.Error(err)
	}
	if again := report("[" + web + "]"); again != first {
		t.Errorf("applied, the report is another:\n%s", again)
	}

	// A template of pods is in the report, even while no pod of it is admitted.
	deployment := template(namespace, batch, 0)
	deployment.Spec.Template.Spec = spec(batch, true)
	if _, err := e.client.AppsV1().Deployments(namespace).Create(t.Context(), deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	second := report("[" + batch + "]")
	if err := refused(t.Context(), spec(batch, true), "service account batch may not have pods"); err != nil {
		t.Errorf("before the report is applied: %v", err)
	}
	e.apply(t, second)
	await(t, func(ctx context.Context) error { return create(ctx, "batch-1", spec(batch, true)) })
	if err := refused(t.Context(), spec(web, true), beyond); err != nil {
		t.Errorf("the other account: %v", err)
	}
	// Nothing that the controller did was refused, nor did it end.
	if !r.ready() {
		t.Error("the controller is not ready")
	}
}
