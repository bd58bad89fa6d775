// Package manifests_test checks the manifests: that they build, ask for no more
// than they need, and that the advisor's own policies are the ones it makes.
package manifests_test

import (
	"bytes"
	"cmp"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files")

// overlay is a built overlay: its YAML and its objects by kind.
type overlay struct {
	yaml     []byte
	pods     []corev1.PodTemplateSpec
	rules    map[string][]rbacv1.PolicyRule // by kind and name of the role
	kinds    []string
	networks []networkingv1.NetworkPolicy
	budgets  []policyv1.PodDisruptionBudget
}

func build(t *testing.T, name string) overlay {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "overlays/"+name)
	if err != nil {
		t.Fatal(err)
	}
	o := overlay{rules: map[string][]rbacv1.PolicyRule{}}
	if o.yaml, err = resources.AsYaml(); err != nil {
		t.Fatal(err)
	}
	for _, r := range resources.Resources() {
		data, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		o.kinds = append(o.kinds, r.GetKind())
		if r.GetNamespace() != "psp-advisor" && !slices.Contains([]string{"Namespace", "ClusterRole", "ClusterRoleBinding"}, r.GetKind()) {
			t.Errorf("%s %s is in namespace %q", r.GetKind(), r.GetName(), r.GetNamespace())
		}
		switch r.GetKind() {
		case "Deployment":
			o.pods = append(o.pods, decode[appsv1.Deployment](t, data).Spec.Template)
		case "CronJob":
			o.pods = append(o.pods, decode[batchv1.CronJob](t, data).Spec.JobTemplate.Spec.Template)
		case "Role", "ClusterRole":
			o.rules[r.GetKind()+" "+r.GetName()] = decode[rbacv1.Role](t, data).Rules
		case "RoleBinding", "ClusterRoleBinding":
			b := decode[rbacv1.RoleBinding](t, data)
			if s := b.Subjects; len(s) != 1 || s[0].Name != "psp-advisor" || s[0].Namespace != "psp-advisor" {
				t.Errorf("%s %s binds %+v", r.GetKind(), r.GetName(), s)
			}
		case "NetworkPolicy":
			o.networks = append(o.networks, decode[networkingv1.NetworkPolicy](t, data))
		case "PodDisruptionBudget":
			o.budgets = append(o.budgets, decode[policyv1.PodDisruptionBudget](t, data))
		case "ServiceAccount":
			decode[corev1.ServiceAccount](t, data)
		case "Namespace":
			decode[corev1.Namespace](t, data)
		default:
			t.Errorf("unexpected kind %s", r.GetKind())
		}
	}
	slices.Sort(o.kinds)
	return o
}

// decode refuses fields that the kind does not have.
func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var object T
	if err := yaml.UnmarshalStrict(data, &object); err != nil {
		t.Error(err)
	}
	return object
}

func TestOverlays(t *testing.T) {
	for name, kinds := range map[string][]string{
		"cronjob":          {"ClusterRole", "ClusterRoleBinding", "CronJob", "Namespace", "NetworkPolicy", "Role", "RoleBinding", "ServiceAccount"},
		"controller":       {"ClusterRole", "ClusterRole", "ClusterRoleBinding", "ClusterRoleBinding", "Deployment", "Namespace", "NetworkPolicy", "NetworkPolicy", "PodDisruptionBudget", "Role", "Role", "RoleBinding", "RoleBinding", "ServiceAccount"},
		"single-namespace": {"CronJob", "NetworkPolicy", "Role", "Role", "RoleBinding", "RoleBinding", "ServiceAccount"},
	} {
		t.Run(name, func(t *testing.T) {
			o := build(t, name)
			if d := gocmp.Diff(kinds, o.kinds); d != "" {
				t.Errorf("kinds (-want +got):\n%s", d)
			}
			if len(o.pods) != 1 {
				t.Fatalf("%d pod templates", len(o.pods))
			}
			restricted(t, o.pods[0].Spec)
			for _, n := range o.networks {
				if len(n.Spec.PodSelector.MatchLabels) == 0 {
					t.Errorf("NetworkPolicy %s is for all pods", n.Name)
				}
				for label, value := range n.Spec.PodSelector.MatchLabels {
					if o.pods[0].Labels[label] != value {
						t.Errorf("NetworkPolicy %s does not select the advisor", n.Name)
					}
				}
			}
			for _, b := range o.budgets {
				for label, value := range b.Spec.Selector.MatchLabels {
					if o.pods[0].Labels[label] != value {
						t.Errorf("PodDisruptionBudget %s does not select the advisor", b.Name)
					}
				}
			}
			if strings.Contains(string(o.yaml), generate.ManagedBy+"\n") && strings.Contains(string(o.yaml), generate.ManagedByLabel) {
				t.Error("the label of generated objects is on the advisor's own: pruning would take them")
			}
		})
	}
}

// restricted holds a pod against the restricted profile, and against what the
// advisor needs of it.
func restricted(t *testing.T, spec corev1.PodSpec) {
	t.Helper()
	s := spec.SecurityContext
	if !*s.RunAsNonRoot || *s.RunAsUser != 65534 || *s.RunAsGroup != 65534 || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("security context of the pod is %+v", s)
	}
	if spec.HostNetwork || spec.HostPID || spec.HostIPC || len(spec.Volumes) > 0 || spec.ServiceAccountName != "psp-advisor" {
		t.Errorf("pod is %+v", spec)
	}
	for _, c := range spec.Containers {
		s := c.SecurityContext
		if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.Privileged != nil ||
			!slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
			t.Errorf("security context of %s is %+v", c.Name, s)
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("resources of %s are %+v", c.Name, c.Resources)
		}
		if c.ImagePullPolicy != corev1.PullIfNotPresent {
			t.Errorf("image pull policy of %s is %s", c.Name, c.ImagePullPolicy)
		}
	}
}

// TestRights: nothing is written but reports and the lease, both in the
// advisor's namespace; nothing is read that holds secrets.
func TestRights(t *testing.T) {
	read := []string{"get", "list", "watch"}
	for _, name := range []string{"cronjob", "controller", "single-namespace"} {
		for role, rules := range build(t, name).rules {
			for _, r := range rules {
				for _, resource := range r.Resources {
					own := strings.HasPrefix(role, "Role ") && (resource == "configmaps" || resource == "leases")
					reads := !slices.ContainsFunc(r.Verbs, func(v string) bool { return !slices.Contains(read, v) })
					if resource == "secrets" || resource == "*" || (!own && !reads) || (!own && resource == "configmaps") {
						t.Errorf("%s: %s may %v %s", name, role, r.Verbs, resource)
					}
				}
			}
		}
	}
	// The namespaced reader has the same rights as the other one.
	whole, single := build(t, "cronjob"), build(t, "single-namespace")
	if d := gocmp.Diff(whole.rules["ClusterRole psp-advisor-reader"], single.rules["Role psp-advisor-reader"]); d != "" {
		t.Errorf("readers differ (-cluster +namespace):\n%s", d)
	}
	// Whatever is listed can be watched, and nothing else.
	both := build(t, "controller").rules
	if d := gocmp.Diff(resources(both["ClusterRole psp-advisor-reader"]), resources(both["ClusterRole psp-advisor-watcher"])); d != "" {
		t.Errorf("what is listed and watched differs (-list +watch):\n%s", d)
	}
}

func resources(rules []rbacv1.PolicyRule) []string {
	var list []string
	for _, r := range rules {
		for _, name := range r.Resources {
			list = append(list, r.APIGroups[0]+"/"+name)
		}
	}
	slices.SortFunc(list, cmp.Compare[string])
	return list
}

// TestOwnPolicies: the advisor makes its own policies, from these manifests.
func TestOwnPolicies(t *testing.T) {
	in := slices.Concat(build(t, "controller").yaml, []byte("---\n"), build(t, "cronjob").yaml)
	obs, err := manifest.Read(t.Context(), []string{manifest.Stdin}, manifest.Options{In: bytes.NewReader(in)}, observe.Scope{Pods: true, Templates: true})
	if err != nil {
		t.Fatal(err)
	}
	results := generate.Run([]generate.Engine{psp.Engine()}, obs.Members, aggregate.ByWorkload)
	got, err := generate.YAML(results[0].Outputs, true)
	if err != nil {
		t.Fatal(err)
	}
	got = append([]byte("# What the advisor says about the overlays controller and cronjob.\n"), got...)
	const golden = "psp/policies.yaml"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s is out of date; run hack/update-generated.sh (-want +got):\n%s", golden, d)
	}
	if f := report.New(obs, aggregate.ByWorkload, results).Findings; len(f) > 0 {
		t.Errorf("the advisor has something to say about itself: %+v", f)
	}
}
