//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// controlPlane is one that enforces PodSecurityPolicy and has no machine: pods
// are admitted or refused, and stay pending.
func controlPlane() cluster.Options {
	return cluster.Options{
		AdmissionPlugins: []string{"PodSecurityPolicy"},
		Controllers:      true,
		// Without it 1.24 forgets procMount in policies and refuses it in pods.
		APIServerFlags: []string{"--feature-gates=ProcMountType=true"},
	}
}

// TestCorpusComesBack is the promise in one test: what ran before the policies
// runs after them, unchanged.
func TestCorpusComesBack(t *testing.T) {
	files := corpus(t)
	e := start(t, controlPlane())
	e.permit(t)
	e.createNode(t, "linux")
	e.createNode(t, "windows")
	f := e.load(t, "", files...)
	e.snapshot(t, f.namespaces) // until the controllers are done

	const user = "advisor"
	e.grantReadAll(t, user)
	e.comesBack(t, f, user, e.replacePolicies)
}

// TestNamespacedUser is the same for somebody who may read one namespace only.
func TestNamespacedUser(t *testing.T) {
	files := corpus(t)
	e := start(t, controlPlane())
	e.permit(t)
	e.createNode(t, "linux")

	const namespace, user = "shop", "shopkeeper"
	f := e.load(t, namespace, filepath.Join(filepath.Dir(files[0]), "sock-shop.yaml"))
	e.snapshot(t, f.namespaces)
	e.grantIn(t, namespace, user, documented(t, "inspect/role.yaml"), rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user})
	e.comesBack(t, f, user, e.replacePolicies, "-n", namespace)
}

// replacePolicies replaces the permissive policy by others.
func (e env) replacePolicies(t *testing.T, policies string) {
	t.Helper()
	e.revoke(t)
	e.kubectl(t, policies, "apply", "-f", "-")
}

// comesBack puts into force what the advisor proposes to a user, deletes all pods,
// and waits until every one of them is back.
func (e env) comesBack(t *testing.T, f *fleet, user string, enforce func(*testing.T, string), args ...string) {
	t.Helper()
	t.Logf("loaded %d workloads into %d namespaces; %d objects are not for this server:\n\t%s",
		f.workloads, len(f.namespaces), len(f.refused), strings.Join(f.refused, "\n\t"))
	if lines := e.complaints(t, f.namespaces); len(lines) > 0 {
		t.Logf("workloads that create no pods even under the permissive policy:\n\t%s", strings.Join(lines, "\n\t"))
	}

	begin := time.Now()
	policies, stderr := e.inspect(t, user, args...)
	t.Logf("advisor inspect took %s and printed %d kB; stderr:\n%s", time.Since(begin).Round(time.Millisecond), len(policies)/1000, stderr)

	// The CronJobs tick after the advisor has looked: it knew their templates
	// only.
	e.tick(t, f)
	before := e.snapshot(t, f.namespaces)

	begin = time.Now()
	enforce(t, policies)
	t.Logf("kubectl apply took %s", time.Since(begin).Round(time.Millisecond))

	e.untick(t, f)
	e.deletePods(t, f)
	e.createBare(t, f)
	e.tick(t, f)
	e.waitFor(t, f, before)
}

// tick creates the Job of each CronJob, as its controller does.
func (e env) tick(t *testing.T, f *fleet) {
	t.Helper()
	for _, stored := range f.cronJobs {
		var cronJob batchv1.CronJob
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(stored.Object, &cronJob); err != nil {
			t.Fatal(err)
		}
		job := &batchv1.Job{
			ObjectMeta: *cronJob.Spec.JobTemplate.ObjectMeta.DeepCopy(),
			Spec:       cronJob.Spec.JobTemplate.Spec,
		}
		job.Name = tickOf(cronJob.Name)
		if _, err := e.client.BatchV1().Jobs(cronJob.Namespace).Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
			t.Fatalf("creating the job of CronJob %s: %v", cronJob.Name, err)
		}
	}
}

// untick deletes those Jobs.
func (e env) untick(t *testing.T, f *fleet) {
	t.Helper()
	now := metav1.DeletePropagationBackground
	for _, cronJob := range f.cronJobs {
		err := e.client.BatchV1().Jobs(cronJob.GetNamespace()).Delete(t.Context(), tickOf(cronJob.GetName()), metav1.DeleteOptions{PropagationPolicy: &now})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func tickOf(cronJob string) string { return "tick-" + cronJob[:min(len(cronJob), 50)] }

// deletePods deletes all pods at once; no kubelet is there to confirm it.
func (e env) deletePods(t *testing.T, f *fleet) {
	t.Helper()
	var now int64
	for namespace := range f.namespaces {
		err := e.client.CoreV1().Pods(namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// createBare creates the pods without a controller again, each with the rights
// of its own account: those of the admin would make every policy usable.
func (e env) createBare(t *testing.T, f *fleet) {
	t.Helper()
	for namespace, pods := range f.bare {
		clients := map[string]dynamic.Interface{}
		for i := range pods {
			account := accountOf(&pods[i])
			if clients[account] == nil {
				clients[account] = dynamic.NewForConfigOrDie(e.as(namespace, account))
			}
			create := func() error {
				_, err := clients[account].Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(namespace).Create(t.Context(), &pods[i], metav1.CreateOptions{})
				return err
			}
			err := create()
			// Pods that were deleted a moment ago may still be there, and the server
			// may need a moment to notice what was applied.
			for attempt := 0; (apierrors.IsAlreadyExists(err) || apierrors.IsForbidden(err)) && attempt < 50; attempt++ {
				sleep(t.Context(), 200*time.Millisecond)
				err = create()
			}
			if err != nil {
				t.Errorf("creating pod %s/%s again: %v", namespace, pods[i].GetName(), err)
			}
		}
	}
}

func accountOf(pod *unstructured.Unstructured) string {
	for _, field := range []string{"serviceAccountName", "serviceAccount"} {
		if name, _, _ := unstructured.NestedString(pod.Object, "spec", field); name != "" {
			return name
		}
	}
	return "default"
}

// waitFor waits until the pods are those of the snapshot again.
func (e env) waitFor(t *testing.T, f *fleet, before snapshot) {
	t.Helper()
	begin, timeout := time.Now(), 5*time.Minute
	for {
		pods := e.pods(t, f.namespaces)
		missing := before.missing(snapshotOf(t, pods))
		if len(missing) == 0 {
			t.Logf("all %d pods came back unchanged after %s", before.size(), time.Since(begin).Round(time.Second))
			e.judged(t, pods)
			return
		}
		if time.Since(begin) > timeout {
			t.Errorf("%d of %d pods did not come back as they were:\n\t%s\nwhat the controllers say:\n\t%s",
				len(missing), before.size(), strings.Join(missing, "\n\t"), strings.Join(e.complaints(t, f.namespaces), "\n\t"))
			return
		}
		sleep(t.Context(), 2*time.Second)
	}
}

// judged fails for pods that another policy than the advisor's let in.
// Servers without PodSecurityPolicy do not say which one did.
func (e env) judged(t *testing.T, pods []corev1.Pod) {
	t.Helper()
	if !e.enforcesPSP {
		return
	}
	for _, p := range pods {
		if policy := p.Annotations["kubernetes.io/psp"]; !strings.HasPrefix(policy, "advisor.") {
			t.Errorf("pod %s/%s was admitted by policy %q", p.Namespace, p.Name, policy)
		}
	}
}
