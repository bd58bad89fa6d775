//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
)

// TestPublishScale publishes what is large, long, in the way, or not allowed.
func TestPublishScale(t *testing.T) {
	e := start(t, cluster.Options{})
	kubeconfig, err := e.AdminKubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	const namespaces, workloads = 300, 2000
	longest := strings.Repeat("n", 63)
	begin := time.Now()
	e.fill(t, namespaces, func(i int) (string, string) { return fmt.Sprintf("team-%03d", i), "workload" })
	e.fill(t, workloads, func(i int) (string, string) { return "big", fmt.Sprintf("workload-%04d", i) })
	e.fill(t, 1, func(int) (string, string) { return longest, strings.Repeat("w", 253) })
	t.Logf("loaded after %s", time.Since(begin).Round(time.Second))

	t.Run("large", func(t *testing.T) {
		const into, reader = "reports", "reader"
		e.grantReadAll(t, reader)
		e.ensureNamespace(t, into)
		begin := time.Now()
		code, stderr := e.publish(t, kubeconfig, into)
		t.Logf("published after %s:\n%s", time.Since(begin).Round(time.Millisecond), stderr)
		if code != 0 {
			t.Fatalf("exit code %d", code)
		}
		index, policies := e.published(t, into)
		if len(index.Reports) != namespaces+2 {
			t.Errorf("%d reports, want %d", len(index.Reports), namespaces+2)
		}
		if size := len(policies["big"]); size <= 1<<20 {
			t.Errorf("the large report has %d bytes, want more than 1 MiB", size)
		}
		for _, namespace := range []string{"big", longest} {
			outside, _ := e.inspect(t, reader, "-n", namespace)
			if policies[namespace] != outside {
				t.Errorf("the policies published for namespace %s are not those that inspect prints", namespace)
			}
		}
		entry := index.Reports[slices.IndexFunc(index.Reports, func(e publish.Entry) bool { return e.Namespace == "big" })]
		t.Logf("the report of %d workloads has %d bytes of policies in %d ConfigMaps", workloads, len(policies["big"]), len(entry.ConfigMaps))

		before := e.versions(t, into)
		begin = time.Now()
		if code, stderr := e.publish(t, kubeconfig, into); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, stderr)
		}
		t.Logf("again, with nothing new: %s", time.Since(begin).Round(time.Millisecond))
		if after := e.versions(t, into); !slices.Equal(before, after) {
			t.Errorf("a run with nothing new changed ConfigMaps")
		}
	})

	t.Run("foreign index", func(t *testing.T) {
		const into = "foreign-index"
		e.ensureNamespace(t, into)
		e.foreign(t, into, publish.IndexName)
		e.fails(t, kubeconfig, into, "ConfigMap foreign-index/psp-advisor-index: it was not written by the advisor")
		if got := e.versions(t, into); len(got) != 1 {
			t.Errorf("a refused run leaves %q", got)
		}
	})

	t.Run("foreign report", func(t *testing.T) {
		const into = "foreign-report"
		e.ensureNamespace(t, into)
		index, _ := e.published(t, "reports")
		name := index.Reports[slices.IndexFunc(index.Reports, func(e publish.Entry) bool { return e.Namespace == "team-000" })].ConfigMaps[0]
		e.foreign(t, into, name)
		e.fails(t, kubeconfig, into, "ConfigMap foreign-report/"+name+": it was not written by the advisor", "-n", "team-000,team-001")
		cm, err := e.client.CoreV1().ConfigMaps(into).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || cm.Data["mine"] != "yes" || len(cm.Data) != 1 {
			t.Errorf("the foreign ConfigMap was changed: %v %v", cm, err)
		}
		// The other namespace is none the worse for it.
		if index, policies := e.published(t, into); policies["team-001"] == "" || index.Coverage.Complete {
			t.Errorf("index of a part: %+v", index)
		}
	})

	t.Run("quota", func(t *testing.T) {
		const into = "quota"
		e.ensureNamespace(t, into)
		if code, stderr := e.publish(t, kubeconfig, into, "-n", "team-000"); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, stderr)
		}
		// There is room for the index and one report. No controller counts here, only
		// admission.
		full := corev1.ResourceList{"count/configmaps": resource.MustParse("2")}
		quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "few"}, Spec: corev1.ResourceQuotaSpec{Hard: full}}
		quota, err := e.client.CoreV1().ResourceQuotas(into).Create(t.Context(), quota, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		quota.Status = corev1.ResourceQuotaStatus{Hard: full, Used: full}
		if _, err := e.client.CoreV1().ResourceQuotas(into).UpdateStatus(t.Context(), quota, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Minute, "the quota counts", func() bool {
			_, err := e.client.CoreV1().ConfigMaps(into).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "probe"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return err != nil
		})
		e.fails(t, kubeconfig, into, "a quota of the namespace is used up", "-n", "team-000,team-001")
		index, policies := e.published(t, into)
		if policies["team-000"] == "" || policies["team-001"] != "" || index.Coverage.Complete {
			t.Errorf("index of what the quota allows: %+v", index)
		}
	})

	t.Run("no namespace", func(t *testing.T) {
		e.fails(t, kubeconfig, "nowhere", "the report namespace must exist", "-n", "team-000")
	})
}

// fails runs publish, which has to exit with 3 and to say why.
func (e env) fails(t *testing.T, kubeconfig, into, why string, args ...string) {
	t.Helper()
	code, stderr := e.publish(t, kubeconfig, into, args...)
	if code != 3 || !strings.Contains(stderr, why) {
		t.Errorf("exit code %d, want 3 and %q:\n%s", code, why, stderr)
	}
	t.Logf("stderr:\n%s", stderr)
}

// foreign creates a ConfigMap of another client.
func (e env) foreign(t *testing.T, namespace, name string) {
	t.Helper()
	_, err := e.client.CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"mine": "yes"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// versions lists the ConfigMaps of a namespace with their resource versions.
func (e env) versions(t *testing.T, namespace string) []string {
	t.Helper()
	list, err := e.client.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, cm := range list.Items {
		lines = append(lines, cm.Name+"@"+cm.ResourceVersion)
	}
	return lines
}
