//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// env is a running cluster and the advisor's binary.
type env struct {
	*cluster.Cluster
	admin   *rest.Config
	client  kubernetes.Interface // as the admin
	dynamic dynamic.Interface    // as the admin
	advisor string               // path of the binary
	// enforcesPSP is true if pods are admitted by a PodSecurityPolicy.
	enforcesPSP bool
}

// start runs a cluster for one test and builds the advisor.
func start(t testing.TB, options cluster.Options) env {
	t.Helper()
	c, err := cluster.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	admin, err := c.Admin()
	if err != nil {
		t.Fatal(err)
	}
	admin.WarningHandler = rest.NoWarnings{} // the corpus has old fields in plenty
	return env{
		Cluster: c,
		admin:   admin,
		client:  kubernetes.NewForConfigOrDie(admin),
		dynamic: dynamic.NewForConfigOrDie(admin),
		advisor: buildAdvisor(t),

		enforcesPSP: slices.Contains(options.AdmissionPlugins, "PodSecurityPolicy"),
	}
}

// buildAdvisor builds what the image has: a static binary.
func buildAdvisor(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "advisor")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/advisor")
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the advisor: %v\n%s", err, output)
	}
	return binary
}

// inspect runs `advisor inspect` as a user and returns what it printed.
func (e env) inspect(t *testing.T, user string, args ...string) (stdout, stderr string) {
	t.Helper()
	kubeconfig, err := e.Kubeconfig(user)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), e.advisor, append([]string{"inspect", "--kubeconfig", kubeconfig}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, errs.String())
	}
	return out.String(), errs.String()
}

// kubectl runs kubectl as the admin.
func (e env) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	kubeconfig, err := e.AdminKubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), e.Kubectl(), append([]string{"--kubeconfig", kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

// as is a client that acts as a service account, with nothing but the rights
// that the account itself has: not those of every authenticated user.
func (e env) as(namespace, account string) *rest.Config {
	config := rest.CopyConfig(e.admin)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":" + account,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace},
	}
	return config
}

// documented are the rights that a shipped manifest gives to those who run the advisor.
func documented(t *testing.T, file string) []rbacv1.PolicyRule {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), "manifests", file))
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole // a Role has the same rules
	if err := yaml.Unmarshal(data, &role); err != nil {
		t.Fatal(err)
	}
	if len(role.Rules) == 0 {
		t.Fatalf("no rules in %s", file)
	}
	return role.Rules
}

// grantReadAll lets a user read what the advisor needs in the whole cluster.
func (e env) grantReadAll(t *testing.T, user string) {
	t.Helper()
	e.grant(t, user, documented(t, "inspect/clusterrole.yaml"), rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user})
}

// grant creates a ClusterRole and binds it to a subject.
func (e env) grant(t *testing.T, name string, rules []rbacv1.PolicyRule, subject rbacv1.Subject) {
	t.Helper()
	ctx, meta := t.Context(), metav1.ObjectMeta{Name: "e2e-" + name}
	role := &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}
	if _, err := e.client.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
		Subjects:   []rbacv1.Subject{subject},
	}
	if _, err := e.client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// grantIn creates a Role in a namespace and binds it to a subject.
func (e env) grantIn(t *testing.T, namespace, name string, rules []rbacv1.PolicyRule, subject rbacv1.Subject) {
	t.Helper()
	ctx, meta := t.Context(), metav1.ObjectMeta{Name: "e2e-" + name, Namespace: namespace}
	role := &rbacv1.Role{ObjectMeta: meta, Rules: rules}
	if _, err := e.client.RbacV1().Roles(namespace).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects:   []rbacv1.Subject{subject},
	}
	if _, err := e.client.RbacV1().RoleBindings(namespace).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// permissive is a policy that admits every pod and changes none.
const permissive = `
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata:
  name: e2e-permissive
  annotations:
    seccomp.security.alpha.kubernetes.io/allowedProfileNames: "*"
spec:
  privileged: true
  hostNetwork: true
  hostPID: true
  hostIPC: true
  hostPorts: [{min: 0, max: 65535}]
  allowPrivilegeEscalation: true
  allowedCapabilities: ["*"]
  allowedProcMountTypes: [Default, Unmasked]
  allowedUnsafeSysctls: ["*"]
  volumes: ["*"]
  seLinux: {rule: RunAsAny}
  runAsUser: {rule: RunAsAny}
  fsGroup: {rule: RunAsAny}
  supplementalGroups: {rule: RunAsAny}
`

// everyAccount is the group of all service accounts.
func everyAccount() rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "system:serviceaccounts"}
}

// permit lets every service account use the permissive policy, and create the
// pods that have no controller to do it.
func (e env) permit(t *testing.T) {
	t.Helper()
	e.kubectl(t, permissive, "apply", "-f", "-")
	e.grant(t, "permissive", []rbacv1.PolicyRule{{
		APIGroups: []string{"policy"}, Resources: []string{"podsecuritypolicies"},
		ResourceNames: []string{"e2e-permissive"}, Verbs: []string{"use"},
	}}, everyAccount())
	e.grant(t, "create-pods", []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"create"},
	}}, everyAccount())
}

// revoke takes the permissive policy away from everybody, the admin included.
func (e env) revoke(t *testing.T) {
	t.Helper()
	e.kubectl(t, "", "delete", "podsecuritypolicy/e2e-permissive", "clusterrolebinding/e2e-permissive")
}
