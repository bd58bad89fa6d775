package psp

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// pods is a shorthand for the pods of one workload.
func pods(list ...*corev1.Pod) []*corev1.Pod { return list }

// policyFor returns the policy of one workload with these pods.
func policyFor(t *testing.T, list ...*corev1.Pod) policy {
	t.Helper()
	var f aggregate.Fleet
	for _, pod := range list {
		f.Add(aggregate.Pod{
			Workload:       aggregate.Workload{Namespace: "shop", Group: "apps", Kind: "Deployment", Name: "web"},
			ServiceAccount: "default",
			Profile:        profile.Of(pod, profile.Options{}),
		})
	}
	groups := aggregate.Groups(f.Members(), aggregate.ByWorkload, shares)
	if len(groups) != 1 {
		t.Fatalf("%d groups", len(groups))
	}
	before := asJSON(t, groups[0])
	p := policyOf(generateOutput(groups[0]))
	if diff := cmp.Diff(before, asJSON(t, groups[0])); diff != "" {
		t.Errorf("Generate changed the group (-before +after):\n%s", diff)
	}
	return p
}

// policy is an output, taken apart.
type policy struct {
	generate.Output
	Object *podSecurityPolicy
	Grants []any
}

func policyOf(o generate.Output) policy {
	p := policy{Output: o, Object: o.Objects()[0].Value.(*podSecurityPolicy)}
	for _, grant := range o.Objects()[1:] {
		p.Grants = append(p.Grants, grant.Value)
	}
	return p
}

// policiesOf returns the policies of a level.
func policiesOf(members []aggregate.Member, level aggregate.Level) []policy {
	var list []policy
	for _, o := range Engine().Outputs(members, level) {
		list = append(list, policyOf(o))
	}
	return list
}

// yamlOf is asYAML with reasons.
func yamlOf(t *testing.T, list []policy) string {
	t.Helper()
	data, err := asYAML(list, true)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func asYAML(list []policy, explain bool) ([]byte, error) {
	return generate.YAML(outputsOf(list), explain)
}

func outputsOf(list []policy) []generate.Output {
	var outputs []generate.Output
	for _, p := range list {
		outputs = append(outputs, p.Output)
	}
	return outputs
}

// why returns the reasons for a field of the spec, or an annotation, and for what
// is in it, in the order of their paths.
func (p policy) why(field string) []string {
	reasons := p.Objects()[0].Reasons
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(reasons)) {
		for _, root := range []string{"spec." + field, "metadata.annotations." + field} {
			if rest, ok := strings.CutPrefix(path, root); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
				lines = append(lines, reasons[path]...)
			}
		}
	}
	return lines
}

func asJSON(t *testing.T, object any) string {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// rowCase is a workload and the value of one field of its policy.
type rowCase[T any] struct {
	name string
	pods []*corev1.Pod
	want T
}

// testRow checks one field of the policies of the cases.
func testRow[T any](t *testing.T, field func(policy) T, cases []rowCase[T]) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, field(policyFor(t, tc.pods...))); diff != "" {
				t.Errorf("field (-want +got):\n%s", diff)
			}
		})
	}
}

func spec(p policy) policySpec { return p.Object.Spec }

// A pod that asks for nothing gets the tightest policy there is. Each field is
// here, so that one that is added without a rule is noticed.
func TestTightestPolicy(t *testing.T) {
	harmless := []idRange{{Min: 65534, Max: 65534}}
	want := policySpec{
		AllowPrivilegeEscalation: true, // the container leaves it unset
		ForbiddenSysctls:         []string{"*"},
		SELinux:                  seLinuxRule{Rule: "RunAsAny"},
		RunAsUser:                idRule{Rule: "RunAsAny"},
		RunAsGroup:               idRule{Rule: "MayRunAs", Ranges: harmless},
		SupplementalGroups:       idRule{Rule: "MayRunAs", Ranges: harmless},
		FSGroup:                  idRule{Rule: "MayRunAs", Ranges: harmless},
		RuntimeClass:             runtimeClassRule{AllowedRuntimeClassNames: []string{}},
	}
	p := policyFor(t, podtest.Pod())
	if diff := cmp.Diff(want, p.Object.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if p.Object.APIVersion != "policy/v1beta1" || p.Object.Kind != "PodSecurityPolicy" {
		t.Errorf("type %s %s", p.Object.APIVersion, p.Object.Kind)
	}
	if len(p.Object.Annotations) != 0 {
		t.Errorf("annotations %v", p.Object.Annotations)
	}
	if diff := cmp.Diff(map[string]string{"app.kubernetes.io/managed-by": "psp-advisor"}, p.Object.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

// No policy fills in what a pod leaves unset: that would change the pod, and
// some defaults give privileges away.
func TestNoDefaults(t *testing.T) {
	r := podtest.Rand(t)
	for range 30 {
		for _, p := range policiesOf(randomFleet(r).Members(), aggregate.ByNamespace) {
			if text := asJSON(t, p.Object); strings.Contains(text, `"default`) || strings.Contains(text, "/defaultProfileName") {
				t.Fatalf("a default in %s", text)
			}
		}
	}
}

// randomFleet returns pods of a few workloads and accounts.
func randomFleet(r *rand.Rand) *aggregate.Fleet {
	f := &aggregate.Fleet{}
	for range 1 + r.IntN(12) {
		f.Add(aggregate.Pod{
			Workload: aggregate.Workload{
				Namespace: []string{"shop", "infra"}[r.IntN(2)], Group: "apps", Kind: "Deployment",
				Name: []string{"a", "b", "c"}[r.IntN(3)],
			},
			ServiceAccount: []string{"", "default", "one"}[r.IntN(3)],
			Profile:        profile.Of(podtest.Random(r), profile.Options{}),
		})
	}
	return f
}

// Laws over random fleets: the same policies each time, groups left as they
// are, and nothing in a policy that the API refuses or admission ignores.
func TestRandomFleets(t *testing.T) {
	r := podtest.Rand(t)
	for range 15 {
		fleet := randomFleet(r)
		for _, level := range aggregate.Levels() {
			groups := aggregate.Groups(fleet.Members(), level, shares)
			before := asJSON(t, groups)
			var first []policy
			for _, g := range groups {
				first = append(first, policyOf(generateOutput(g)))
			}
			second := policiesOf(fleet.Members(), level)
			if diff := cmp.Diff(before, asJSON(t, groups)); diff != "" {
				t.Fatalf("Generate changed a group (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(yamlOf(t, first), yamlOf(t, second)); diff != "" {
				t.Fatalf("generating twice (-first +second):\n%s", diff)
			}
			names := map[string]bool{}
			for _, p := range first {
				if names[p.Object.Name] {
					t.Fatalf("two policies %s", p.Object.Name)
				}
				names[p.Object.Name] = true
				validPolicy(t, p)
			}
		}
	}
}

// validPolicy checks what the API's validation and the start of admission ask
// of a policy (pkg/apis/policy/validation/validation.go and
// pkg/security/podsecuritypolicy/factory.go).
func validPolicy(t *testing.T, p policy) {
	t.Helper()
	s := p.Object.Spec
	ranges := map[string]int{
		"runAsGroup": len(s.RunAsGroup.Ranges), "fsGroup": len(s.FSGroup.Ranges), "supplementalGroups": len(s.SupplementalGroups.Ranges),
	}
	if s.RunAsUser.Rule == mustRunAs {
		ranges["runAsUser"] = len(s.RunAsUser.Ranges)
	}
	for field, n := range ranges {
		if n == 0 {
			t.Fatalf("%s without ranges", field)
		}
	}
	if (s.SELinux.Rule == mustRunAs) != (s.SELinux.SELinuxOptions != nil) {
		t.Fatalf("seLinux %s with options %v", s.SELinux.Rule, s.SELinux.SELinuxOptions)
	}
	for _, c := range s.RequiredDropCapabilities {
		for _, allowed := range s.AllowedCapabilities {
			if c == allowed || allowed == "*" {
				t.Fatalf("capability %s required to drop beside allowed %s", c, allowed)
			}
		}
	}
	for _, f := range s.ForbiddenSysctls {
		for _, a := range s.AllowedUnsafeSysctls {
			if matches(a, f) || f == wildcard {
				t.Fatalf("sysctl %s forbidden beside allowed %s", f, a)
			}
		}
	}
	for _, v := range s.Volumes {
		switch {
		case v == "hostPath" && len(s.AllowedHostPaths) == 0,
			v == "flexVolume" && len(s.AllowedFlexVolumes) == 0,
			v == "csi" && len(s.AllowedCSIDrivers) == 0:
			t.Fatalf("any %s is allowed", v)
		}
	}
	if s.RuntimeClass.AllowedRuntimeClassNames == nil {
		t.Fatal("any runtime class is allowed")
	}
}
