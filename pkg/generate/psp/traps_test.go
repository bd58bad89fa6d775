package psp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// podOf is a pod of the named Deployment in namespace shop.
func podOf(name, account string, pod *corev1.Pod) aggregate.Pod {
	return aggregate.Pod{
		Workload:       aggregate.Workload{Namespace: "shop", Group: "apps", Kind: "Deployment", Name: name},
		ServiceAccount: account,
		Profile:        profile.Of(pod, profile.Options{}),
	}
}

func policies(level aggregate.Level, list ...aggregate.Pod) []policy {
	var f aggregate.Fleet
	for _, p := range list {
		f.Add(p)
	}
	return policiesOf(f.Members(), level)
}

func names(list []policy) []string {
	var names []string
	for _, p := range list {
		names = append(names, p.Object.Name)
	}
	return names
}

// With a seccomp profile for the whole pod every policy counts as mutating, so
// the alphabetically first one that admits the pod wins: an account must not
// have two to choose from.
func TestTrap1PodSeccompJoinsSharedAccounts(t *testing.T) {
	confined := podtest.Pod(podSeccomp("RuntimeDefault", ""), podtest.Security(escalation(true)))
	strict := podtest.Pod(podtest.Security(escalation(false)))
	for _, tc := range []struct {
		name string
		pods []aggregate.Pod
		want []string
	}{
		{"shared", []aggregate.Pod{podOf("web", "default", confined), podOf("db", "default", strict)}, []string{"advisor.shop.sa.default"}},
		{
			"own accounts",
			[]aggregate.Pod{podOf("web", "one", confined), podOf("db", "two", strict)},
			[]string{"advisor.shop.deployment.db", "advisor.shop.deployment.web"},
		},
		{
			"shared without seccomp",
			[]aggregate.Pod{podOf("web", "default", podtest.Pod()), podOf("db", "default", strict)},
			[]string{"advisor.shop.deployment.db", "advisor.shop.deployment.web"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list := policies(aggregate.ByWorkload, tc.pods...)
			if diff := cmp.Diff(tc.want, names(list)); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
		})
	}
	joined := policies(aggregate.ByWorkload, podOf("web", "default", confined), podOf("db", "default", strict))[0]
	// The joined policy changes neither: it must not demand what one of them
	// leaves unset, and one without seccomp needs the wildcard.
	if !joined.Object.Spec.AllowPrivilegeEscalation || joined.Object.Annotations[seccompAllowedAnnotation] != "*" {
		t.Errorf("the joined policy does not fit both: %s", asJSON(t, joined.Object))
	}
}

// A stored pod carries annotations that its re-creation from a template will
// lack: the policy of both lists what both need.
func TestTrap1StoredAndCreatedPodTogether(t *testing.T) {
	template := podtest.Pod(podSeccomp("RuntimeDefault", ""))
	stored := podtest.Pod(podSeccomp("RuntimeDefault", ""), podtest.Annotate(corev1.SeccompPodAnnotationKey, "runtime/default"),
		podtest.Annotate(corev1.SeccompContainerAnnotationKeyPrefix+"c", "runtime/default"))
	got := policyFor(t, template, stored).Object.Annotations[seccompAllowedAnnotation]
	if got != "runtime/default" {
		t.Errorf("allowed profiles %q", got)
	}
}

// What the API accepts and admission then ignores, so that every pod is denied:
// rules without the ranges or options that they need.
func TestTrap2NoRuleWithoutRangesOrOptions(t *testing.T) {
	r := podtest.Rand(t)
	seen := map[string]bool{}
	for range 60 {
		for _, p := range policiesOf(randomFleet(r).Members(), aggregate.ByWorkload) {
			validPolicy(t, p)
			s := spec(p)
			seen["runAsUser "+string(s.RunAsUser.Rule)] = true
			seen["seLinux "+string(s.SELinux.Rule)] = true
			seen["fsGroup "+string(s.FSGroup.Rule)] = true
			for _, rule := range []string{string(s.RunAsGroup.Rule), string(s.FSGroup.Rule), string(s.SupplementalGroups.Rule)} {
				if rule == "RunAsAny" || rule == "" {
					t.Fatalf("a group rule %q lets a pod ask for group 0", rule)
				}
			}
		}
	}
	if len(seen) < 6 {
		t.Errorf("the random pods reached few rules: %v", seen)
	}
}

func TestTrap3GrantsToAccountsOnly(t *testing.T) {
	static := podOf("etcd", "", podtest.Pod())
	account := func(name string) rbacv1.Subject {
		return rbacv1.Subject{Kind: "ServiceAccount", Namespace: "shop", Name: name}
	}
	group := func(name string) rbacv1.Subject {
		return rbacv1.Subject{APIGroup: "rbac.authorization.k8s.io", Kind: "Group", Name: name}
	}
	for _, tc := range []struct {
		name  string
		level aggregate.Level
		pods  []aggregate.Pod
		want  map[string][]rbacv1.Subject // binding → subjects
	}{
		{
			"a workload's account", aggregate.ByWorkload,
			[]aggregate.Pod{podOf("web", "one", podtest.Pod())},
			map[string][]rbacv1.Subject{"RoleBinding shop/advisor.shop.deployment.web": {account("one")}},
		},
		{
			"two accounts of a workload", aggregate.ByWorkload,
			[]aggregate.Pod{podOf("web", "two", podtest.Pod()), podOf("web", "one", podtest.Pod())},
			map[string][]rbacv1.Subject{"RoleBinding shop/advisor.shop.deployment.web": {account("one"), account("two")}},
		},
		{
			"a static pod has no account", aggregate.ByWorkload,
			[]aggregate.Pod{static},
			map[string][]rbacv1.Subject{"RoleBinding shop/advisor.shop.static-pod.etcd": {group("system:nodes")}},
		},
		{
			"account level", aggregate.ByServiceAccount,
			[]aggregate.Pod{podOf("web", "one", podtest.Pod()), static},
			map[string][]rbacv1.Subject{
				"RoleBinding shop/advisor.shop.sa.one": {account("one")}, "RoleBinding shop/advisor.shop.nodes": {group("system:nodes")},
			},
		},
		{
			"namespace level", aggregate.ByNamespace,
			[]aggregate.Pod{podOf("web", "one", podtest.Pod()), static},
			map[string][]rbacv1.Subject{"RoleBinding shop/advisor.shop": {group("system:serviceaccounts:shop"), group("system:nodes")}},
		},
		{
			"namespace level without static pods", aggregate.ByNamespace,
			[]aggregate.Pod{podOf("web", "one", podtest.Pod())},
			map[string][]rbacv1.Subject{"RoleBinding shop/advisor.shop": {group("system:serviceaccounts:shop")}},
		},
		{
			"cluster level", aggregate.ByCluster,
			[]aggregate.Pod{podOf("web", "one", podtest.Pod()), static},
			map[string][]rbacv1.Subject{"ClusterRoleBinding /advisor.cluster": {group("system:serviceaccounts"), group("system:nodes")}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := map[string][]rbacv1.Subject{}
			for _, p := range policies(tc.level, tc.pods...) {
				checkGrant(t, p, got)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("subjects (-want +got):\n%s", diff)
			}
		})
	}
}

// checkGrant checks that a policy's role lets use that policy and nothing else,
// and notes the subjects of its binding.
func checkGrant(t *testing.T, p policy, subjects map[string][]rbacv1.Subject) {
	t.Helper()
	want := []rbacv1.PolicyRule{{
		Verbs: []string{"use"}, APIGroups: []string{"policy"}, Resources: []string{"podsecuritypolicies"}, ResourceNames: []string{p.Object.Name},
	}}
	var rules []rbacv1.PolicyRule
	var role, ref string
	for _, o := range p.Grants {
		switch o := o.(type) {
		case *rbacv1.Role:
			rules, role = o.Rules, o.Kind+" "+o.Name
		case *rbacv1.ClusterRole:
			rules, role = o.Rules, o.Kind+" "+o.Name
		case *rbacv1.RoleBinding:
			ref = o.RoleRef.Kind + " " + o.RoleRef.Name
			subjects[o.Kind+" "+o.Namespace+"/"+o.Name] = o.Subjects
		case *rbacv1.ClusterRoleBinding:
			ref = o.RoleRef.Kind + " " + o.RoleRef.Name
			subjects[o.Kind+" /"+o.Name] = o.Subjects
		default:
			t.Errorf("unexpected %T", o)
		}
	}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if ref != role || ref == "" {
		t.Errorf("the binding is to %q, the role is %q", ref, role)
	}
	if text := asJSON(t, p.Grants); strings.Contains(text, "system:authenticated") {
		t.Error("system:authenticated does not count for a pod's account")
	}
	for _, o := range p.Objects() {
		if !strings.Contains(asJSON(t, o.Value), `"labels":{"app.kubernetes.io/managed-by":"psp-advisor"}`) {
			t.Errorf("%T has no label to prune it by", o)
		}
	}
}

// A webhook changes pods between two rounds of admission: the template's form
// and the running form are both admitted unchanged.
func TestTrap4BeforeAndAfterWebhooks(t *testing.T) {
	template := podtest.Pod(podtest.Security(escalation(false)),
		podtest.Security(func(sc *corev1.SecurityContext) { sc.RunAsUser = new(int64(1000)) }))
	running := template.DeepCopy()
	podtest.Init("istio-init", podtest.Context(caps([]corev1.Capability{"NET_ADMIN"}, nil)))(running)
	podtest.Volume("envoy", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}, nil)(running)
	p := policyFor(t, template, running)
	s := spec(p)
	if !s.AllowPrivilegeEscalation || s.RunAsUser.Rule != runAsAny {
		t.Error("the running pod would be changed")
	}
	if diff := cmp.Diff([]corev1.Capability{"NET_ADMIN"}, s.AllowedCapabilities); diff != "" {
		t.Errorf("allowed capabilities (-want +got):\n%s", diff)
	}
	// One that a webhook tightens: what the template leaves unset, nobody may
	// demand.
	hardened := podtest.Pod(podtest.Security(escalation(false)))
	if s := spec(policyFor(t, podtest.Pod(), hardened)); !s.AllowPrivilegeEscalation {
		t.Error("the template would be changed")
	}
}

// What a policy cannot say does not change it.
func TestTrap5UngovernedAttributesDoNotMatter(t *testing.T) {
	windows := &corev1.WindowsSecurityContextOptions{HostProcess: new(true), RunAsUserName: new("NT AUTHORITY\\SYSTEM")}
	pod := podtest.Pod(
		func(p *corev1.Pod) { p.Spec.ShareProcessNamespace, p.Spec.HostUsers = new(true), new(false) },
		podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.WindowsOptions = windows }),
		podtest.Container(func(c *corev1.Container) {
			c.EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{}}}
			c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: "169.254.169.254"}}}
		}))
	if diff := cmp.Diff(policyFor(t, podtest.Pod()).Object, policyFor(t, pod).Object); diff != "" {
		t.Errorf("policy (-plain +ungoverned):\n%s", diff)
	}
}
