//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// advisorNamespace is where the manifests put the advisor, and its account.
const advisorNamespace = "psp-advisor"

// TestRights: the rights of the manifests are enough, and none is too many: with
// any one of them taken away, the advisor says which one is missing.
func TestRights(t *testing.T) {
	e := start(t, controlPlane())
	root, err := cluster.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.kubectl(t, "", "apply", "-k", filepath.Join(root, "manifests", "overlays", "controller"))
	account, err := e.Kubeconfig("system:serviceaccount:"+advisorNamespace+":psp-advisor",
		"system:serviceaccounts", "system:serviceaccounts:"+advisorNamespace, "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	e.ensureNamespace(t, "shop")
	e.nobodys(t, "shop")
	e.publishWithoutEach(t, account, advisorNamespace, []role{{"", "psp-advisor-reader"}, {advisorNamespace, "psp-advisor-writer"}})
	for _, role := range []role{{"", "psp-advisor-watcher"}, {advisorNamespace, "psp-advisor-leader"}} {
		e.withoutEach(t, role, func(t *testing.T, missing string) {
			if strings.HasPrefix(missing, "cannot create") {
				err := e.client.CoordinationV1().Leases(advisorNamespace).Delete(t.Context(), "psp-advisor", metav1.DeleteOptions{})
				if err != nil {
					t.Fatal(err)
				}
			}
			r := e.control(t, account, advisorNamespace)
			eventually(t, time.Minute, "the log says "+missing, func() bool {
				return strings.Contains(strings.ReplaceAll(r.log.String(), `\`, ""), missing) // the log quotes
			})
			r.stop(t)
		})
	}
}

// TestSingleNamespaceRights is TestRights for the overlay of one namespace, and for
// those who read its reports.
func TestSingleNamespaceRights(t *testing.T) {
	const home = "shop-advisor"
	e := start(t, controlPlane())
	e.ensureNamespace(t, "shop")
	e.nobodys(t, "shop")
	e.kubectl(t, "", "apply", "-k", filepath.Join(root(t), "manifests", "overlays", "single-namespace"))
	account, err := e.Kubeconfig("system:serviceaccount:"+home+":psp-advisor",
		"system:serviceaccounts", "system:serviceaccounts:"+home, "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	e.publishWithoutEach(t, account, home, []role{{"shop", "psp-advisor-reader"}, {home, "psp-advisor-writer"}}, "--namespace", "shop")

	const reader = "reader"
	kubeconfig, err := e.Kubeconfig(reader)
	if err != nil {
		t.Fatal(err)
	}
	getReport := func() (int, string) {
		return finish(t, e.command(t.Context(), "get-report", kubeconfig, home, "--namespace", "shop"))
	}
	if code, said := getReport(); code != 3 || !strings.Contains(said, `cannot get resource "configmaps"`) {
		t.Errorf("without a right: exit code %d\n%s", code, said)
	}
	e.grantIn(t, home, reader, documented(t, "get-report/role.yaml"), rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: reader})
	eventually(t, time.Minute, "the report can be read", func() bool { code, _ := getReport(); return code == 0 })
}

// publishWithoutEach publishes as an account that has all rights of the roles, and
// then without each one of them.
func (e env) publishWithoutEach(t *testing.T, account, into string, roles []role, args ...string) {
	t.Helper()
	user := int64(1000)
	// Each run has a report to write, to name in the index and to delete.
	publish := func() (int, string) {
		user++
		e.set(t, "shop", "web", user)
		return e.publish(t, account, into, args...)
	}
	if code, said := publish(); code != 0 {
		t.Fatalf("with all rights: exit code %d\n%s", code, said)
	}
	for _, role := range roles {
		e.withoutEach(t, role, func(t *testing.T, missing string) {
			var code int
			var said string
			// The server notices a change of a role a moment later.
			defer func() {
				if t.Failed() {
					t.Logf("exit code %d, want %s in\n%s", code, missing, said)
				}
			}()
			eventually(t, time.Minute, "publish says "+missing, func() bool {
				code, said = publish()
				return strings.Contains(said, missing) && (code == 1 || code == 3)
			})
		})
		eventually(t, time.Minute, "publish is whole again", func() bool { code, _ := publish(); return code == 0 })
	}
}

// stop asks the replica to end, and expects it to.
func (r *replica) stop(t *testing.T) {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.ended:
	case <-time.After(time.Minute):
		t.Errorf("does not end:\n%s", r.log)
	}
}

// nobodys creates a ReplicaSet and a Job without a controller, which the advisor
// has to read as a whole.
func (e env) nobodys(t *testing.T, namespace string) {
	t.Helper()
	pod := template(namespace, "nobodys", 1).Spec.Template
	_, err := e.client.AppsV1().ReplicaSets(namespace).Create(t.Context(), &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "nobodys"},
		Spec:       appsv1.ReplicaSetSpec{Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: pod.Labels}, Template: pod},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod.Labels, pod.Spec.RestartPolicy = nil, corev1.RestartPolicyNever
	_, err = e.client.BatchV1().Jobs(namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "nobodys"},
		Spec:       batchv1.JobSpec{Suspend: new(true), Template: pod},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// role is a Role, or a ClusterRole where there is no namespace.
type role struct{ namespace, name string }

func (e env) rules(t *testing.T, r role) []rbacv1.PolicyRule {
	t.Helper()
	if r.namespace == "" {
		got, err := e.client.RbacV1().ClusterRoles().Get(t.Context(), r.name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return got.Rules
	}
	got, err := e.client.RbacV1().Roles(r.namespace).Get(t.Context(), r.name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got.Rules
}

func (e env) setRules(t *testing.T, r role, rules []rbacv1.PolicyRule) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: r.name, Namespace: r.namespace}
	var err error
	if r.namespace == "" {
		_, err = e.client.RbacV1().ClusterRoles().Update(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.UpdateOptions{})
	} else {
		_, err = e.client.RbacV1().Roles(r.namespace).Update(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// withoutEach runs a test once for every single right of a role, without that
// right; missing is how the server puts what is missing.
func (e env) withoutEach(t *testing.T, r role, test func(t *testing.T, missing string)) {
	t.Helper()
	all := e.rules(t, r)
	var single []rbacv1.PolicyRule
	for _, rule := range all {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				single = append(single, rbacv1.PolicyRule{
					APIGroups: rule.APIGroups, Resources: []string{resource}, ResourceNames: rule.ResourceNames, Verbs: []string{verb},
				})
			}
		}
	}
	for i, without := range single {
		missing := fmt.Sprintf("cannot %s resource %q", without.Verbs[0], without.Resources[0])
		t.Run(r.name+" "+missing, func(t *testing.T) {
			e.setRules(t, r, slices.Delete(slices.Clone(single), i, i+1))
			test(t, missing)
		})
	}
	e.setRules(t, r, all)
}
