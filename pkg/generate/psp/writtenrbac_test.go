package psp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// readWritten reads YAML documents.
func readWritten(t *testing.T, documents ...string) (*Written, error) {
	t.Helper()
	w := &Written{}
	for _, doc := range documents {
		decode := func(into any) error { return yaml.Unmarshal([]byte(doc), into) }
		var meta metav1.TypeMeta
		if err := decode(&meta); err != nil {
			t.Fatal(err)
		}
		if err := w.Read(meta, decode); err != nil {
			return nil, err
		}
	}
	return w, nil
}

const rbac = "apiVersion: rbac.authorization.k8s.io/v1\n"

const emptyPolicy = `
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata: {name: restricted}
`

// use returns a role that permits the use of a policy.
func use(kind, meta, names string) string {
	return rbac + "kind: " + kind + "\nmetadata: {" + meta + "}\nrules: [{apiGroups: [policy], resources: [podsecuritypolicies], verbs: [use], resourceNames: [" + names + "]}]\n"
}

func bind(kind, meta, role, subject string) string {
	return rbac + "kind: " + kind + "\nmetadata: {" + meta + "}\nroleRef: {kind: " + role + "}\nsubjects: [{" + subject + "}]\n"
}

func TestGrants(t *testing.T) {
	pod := func(namespace, account string) aggregate.Pod {
		return aggregate.Pod{
			Workload: aggregate.Workload{Namespace: namespace, Kind: "Pod", Name: "a"}, ServiceAccount: account,
			Profile: profile.Of(podtest.Pod(), profile.Options{}),
		}
	}
	all := []string{"infra/", "infra/default", "shop/default", "shop/web"}
	tests := []struct {
		name    string
		objects []string
		granted bool
		want    []string
	}{
		{"no RBAC", nil, false, all},
		{"a role that nobody has", []string{use("ClusterRole", "name: r", "restricted")}, false, all},
		{
			"another policy",
			[]string{use("ClusterRole", "name: r", "other"), bind("ClusterRoleBinding", "name: b", "ClusterRole, name: r", "kind: Group, name: 'system:serviceaccounts'")},
			false, all,
		},
		{
			"an account",
			[]string{use("Role", "name: r, namespace: shop", "restricted"), bind("RoleBinding", "name: b, namespace: shop", "Role, name: r", "kind: ServiceAccount, name: web, namespace: shop")},
			true,
			[]string{"shop/web"},
		},
		{
			"an account as a user",
			[]string{use("ClusterRole", "name: r", "restricted"), bind("ClusterRoleBinding", "name: b", "ClusterRole, name: r", "kind: User, name: 'system:serviceaccount:shop:web'")},
			true,
			[]string{"shop/web"},
		},
		{
			"an account, in a namespace without its pods",
			[]string{use("ClusterRole", "name: r", "restricted"), bind("RoleBinding", "name: b, namespace: infra", "ClusterRole, name: r", "kind: ServiceAccount, name: web, namespace: shop")},
			true, nil,
		},
		{
			"every policy, all accounts of a namespace",
			[]string{use("ClusterRole", "name: r", ""), bind("ClusterRoleBinding", "name: b", "ClusterRole, name: r", "kind: Group, name: 'system:serviceaccounts:shop'")},
			true,
			[]string{"shop/default", "shop/web"},
		},
		{
			"all accounts, in one namespace",
			[]string{use("ClusterRole", "name: r", "restricted"), bind("RoleBinding", "name: b, namespace: infra", "ClusterRole, name: r", "kind: Group, name: 'system:serviceaccounts'")},
			true,
			[]string{"infra/default"},
		},
		{
			"all who are known",
			[]string{use("ClusterRole", "name: r", "restricted"), bind("ClusterRoleBinding", "name: b", "ClusterRole, name: r", "kind: Group, name: 'system:authenticated'")},
			true, all,
		},
		{
			"nodes",
			[]string{use("ClusterRole", "name: r", "restricted"), bind("ClusterRoleBinding", "name: b", "ClusterRole, name: r", "kind: Group, name: 'system:nodes'")},
			true,
			[]string{"infra/"},
		},
		{
			"an aggregated role",
			[]string{
				use("ClusterRole", "name: part, labels: {part: 'true'}", "restricted"),
				rbac + "kind: ClusterRole\nmetadata: {name: whole}\naggregationRule: {clusterRoleSelectors: [{matchLabels: {part: 'true'}}]}\n",
				bind("ClusterRoleBinding", "name: b", "ClusterRole, name: whole", "kind: Group, name: 'system:serviceaccounts'"),
			},
			true,
			[]string{"infra/default", "shop/default", "shop/web"},
		},
		{
			"namespaces by default",
			[]string{use("Role", "name: r", "restricted"), bind("RoleBinding", "name: b", "Role, name: r", "kind: Group, name: 'system:serviceaccounts'")},
			true, nil,
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var f aggregate.Fleet
			for _, account := range all {
				namespace, name, _ := strings.Cut(account, "/")
				f.Add(pod(namespace, name))
			}
			w, err := readWritten(t, append([]string{emptyPolicy}, tc.objects...)...)
			if err != nil {
				t.Fatal(err)
			}
			c := Compare(w, f.Members())[0]
			var got []string
			for _, m := range c.Group.Members {
				got = append(got, m.Workload.Namespace+"/"+m.ServiceAccount)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || c.Granted != tc.granted {
				t.Errorf("granted %t to (-want +got):\n%s", c.Granted, diff)
			}
		})
	}
}

func TestReadWritten(t *testing.T) {
	w, err := readWritten(t, emptyPolicy, strings.ReplaceAll(emptyPolicy, "policy/v1beta1", "extensions/v1beta1")[1:], "apiVersion: v1\nkind: ConfigMap\n")
	if err == nil {
		t.Errorf("a policy that is there twice is read: %d policies", w.Len())
	}
	if _, err := readWritten(t, "apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\n"); err == nil {
		t.Error("a policy without a name is read")
	}
	w, err = readWritten(t, emptyPolicy, "apiVersion: v1\nkind: ConfigMap\n", "apiVersion: policy/v1\nkind: PodDisruptionBudget\n")
	if err != nil || w.Len() != 1 {
		t.Errorf("%v, %v", w, err)
	}
}

// What a server rejects or ignores admits nothing, and says why.
func TestFaults(t *testing.T) {
	tests := []struct {
		name  string
		field string // of the fault
		spoil func(*writtenPolicy)
	}{
		{"rule", "spec.runAsUser.rule", func(p *writtenPolicy) { p.Spec.RunAsUser.Rule = mayRunAs }},
		{"no rule", "spec.seLinux.rule", func(p *writtenPolicy) { p.Spec.SELinux.Rule = "" }},
		{"no options", "spec.seLinux.seLinuxOptions", func(p *writtenPolicy) { p.Spec.SELinux.Rule = mustRunAs }},
		{"no ranges", "spec.fsGroup.ranges", func(p *writtenPolicy) { p.Spec.FSGroup.Rule = mayRunAs }},
		{"range", "spec.supplementalGroups.ranges", func(p *writtenPolicy) { p.Spec.SupplementalGroups = idRule{mustRunAs, []idRange{{2, 1}}} }},
		{"ranges with any", "spec.runAsGroup.ranges", func(p *writtenPolicy) { p.Spec.RunAsGroup = &idRule{runAsAny, []idRange{{1, 2}}} }},
		{"drop beside any", "spec.requiredDropCapabilities", func(p *writtenPolicy) { p.Spec.RequiredDropCapabilities = append(p.Spec.RequiredDropCapabilities, all) }},
		{"volume", "spec.volumes", func(p *writtenPolicy) { p.Spec.Volumes = []string{"cephfs"} }},
		{"path", "spec.allowedHostPaths", func(p *writtenPolicy) { p.Spec.AllowedHostPaths = []allowedHostPath{{PathPrefix: "/a/.."}} }},
		{"sysctls", "spec.allowedUnsafeSysctls", func(p *writtenPolicy) { p.Spec.ForbiddenSysctls = []string{"net.*"} }},
		{"escalation", "spec.defaultAllowPrivilegeEscalation", func(p *writtenPolicy) {
			p.Spec.AllowPrivilegeEscalation, p.Spec.DefaultAllowPrivilegeEscalation = new(false), new(true)
		}},
		{"proc mount", "spec.allowedProcMountTypes", func(p *writtenPolicy) { p.Spec.AllowedProcMountTypes = append(p.Spec.AllowedProcMountTypes, "x") }},
		{"class", "spec.runtimeClass.defaultRuntimeClassName", func(p *writtenPolicy) { p.Spec.RuntimeClass = &writtenRuntimeClass{nil, new("kata")} }},
		{"profile", annotationField(seccompAllowedAnnotation), func(p *writtenPolicy) { p.Annotations[seccompAllowedAnnotation] = "*,x" }},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			p := open()
			tc.spoil(p)
			c := compareOne(p, []aggregate.Member{{ServiceAccount: "a", Profile: profile.Of(podtest.Pod(), profile.Options{})}})
			if len(c.Faults) != 1 || c.Faults[0].Field != tc.field || c.Outcomes[0] != Refuses || len(c.Tighter) > 0 {
				t.Errorf("%+v", c)
			}
		})
	}
}
