package vap

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel/celtest"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestEachAttributeIsExpressed(t *testing.T) {
	celtest.EachAttributeIsExpressed(t, Engine(Options{}))
}

// names returns the kind and name of each object.
func names(outputs []generate.Output) []string {
	var list []string
	for _, o := range outputs {
		for _, object := range o.Objects() {
			switch v := object.Value.(type) {
			case *policy:
				list = append(list, v.Kind+" "+v.Name)
			case *admissionv1.ValidatingAdmissionPolicyBinding:
				list = append(list, v.Kind+" "+v.Name)
			case *metav1.PartialObjectMetadata:
				list = append(list, v.Kind+" "+v.Name+" "+v.Labels[cel.Key])
			case *podPermits:
				list = append(list, v.Kind+" "+v.Namespace)
			case *map[string]any:
				list = append(list, (*v)["kind"].(string))
			}
		}
	}
	return list
}

func TestObjects(t *testing.T) {
	members := []aggregate.Member{celtest.Member("shop", "web", "web", podtest.Pod()), celtest.Member("bank", "db", "db", podtest.Pod())}
	policies := []string{"ValidatingAdmissionPolicy advisor.privileges", "ValidatingAdmissionPolicyBinding advisor.privileges"}
	unknown := []string{"ValidatingAdmissionPolicy advisor.unknown-accounts", "ValidatingAdmissionPolicyBinding advisor.unknown-accounts"}
	for _, tc := range []struct {
		name    string
		options Options
		level   aggregate.Level
		want    []string
	}{
		{"default", Options{}, aggregate.ByWorkload, slices.Concat(policies, []string{"Namespace bank annotation", "Namespace shop annotation"})},
		{"unknown accounts warned about", Options{UnknownAccounts: cel.WarnUnknown}, aggregate.ByNamespace, slices.Concat(policies, unknown, []string{"Namespace bank annotation", "Namespace shop annotation"})},
		{"unknown accounts allowed", Options{UnknownAccounts: cel.AllowUnknown}, aggregate.ByServiceAccount, slices.Concat(policies, []string{"Namespace bank annotation", "Namespace shop annotation"})},
		{"objects", Options{Params: CRD}, aggregate.ByWorkload, slices.Concat([]string{"CustomResourceDefinition"}, policies, []string{"PodPermits bank", "Namespace bank object", "PodPermits shop", "Namespace shop object"})},
		{"cluster", Options{Params: CRD}, aggregate.ByCluster, slices.Concat(policies, []string{"Namespace bank policy", "Namespace shop policy"})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, names(tc.options.outputs(members, tc.level))); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
	if got := (Options{}).outputs(nil, aggregate.ByWorkload); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

// The policy of a cluster never changes with what runs in it.
func TestPolicyDoesNotDependOnPods(t *testing.T) {
	r := podtest.Rand(t)
	for _, o := range []Options{{}, {Params: CRD}, {UnknownAccounts: cel.WarnUnknown}} {
		of := func() string {
			members := []aggregate.Member{celtest.Member("shop", "web", "web", podtest.Random(r))}
			return celtest.YAML(t, o.outputs(members, aggregate.ByWorkload)[:1])
		}
		if a, b := of(), of(); a != b {
			t.Errorf("two policies:\n%s", cmp.Diff(a, b))
		}
	}
}

// No expression is longer than servers accept, even if the permits are in it.
func TestExpressionsAreShort(t *testing.T) {
	const limit = 100_000 // code points, of the parser of the API server
	var members []aggregate.Member
	for i := range 400 {
		pod := podtest.Pod(podtest.Volume("v", podtest.HostPath("/"+strings.Repeat("é\"\n", 100)+strings.Repeat("x", i)), nil))
		members = append(members, celtest.Member("shop", "web"+strings.Repeat("x", i), "web", pod))
	}
	for _, level := range aggregate.Levels() {
		for _, object := range (Options{}).outputs(members, level)[0].Objects() {
			if p, ok := object.Value.(*policy); ok {
				for _, v := range p.Spec.Variables {
					if n := len([]rune(v.Expression)); n > limit {
						t.Errorf("%s: %s has %d code points", level, v.Name, n)
					}
				}
			}
		}
	}
	outputs := Options{}.outputs(members, aggregate.ByCluster)
	last := outputs[0].Objects()[0].Value.(*policy).Spec.Variables
	if !slices.ContainsFunc(last, func(v admissionv1.Variable) bool { return v.Name == "text1" }) {
		t.Error("the permits are in one expression: the test shows nothing")
	}
}

func TestFindings(t *testing.T) {
	var members []aggregate.Member
	for i := range 3000 {
		pod := podtest.Pod(podtest.Volume("v", podtest.HostPath("/"+strings.Repeat("x", i%200+1)+"/"+strings.Repeat("y", i/200)), nil))
		members = append(members, celtest.Member("large", "web"+strings.Repeat("x", i), "web", pod))
	}
	static := celtest.Member("shop", "etcd", "", podtest.Pod())
	static.Workload.Kind = "Node"
	members = append(members, static, celtest.Member("shop", "web", "web", podtest.Pod()))
	rules := func(o Options) (got []string) {
		for _, f := range o.findings(o.outputs(members, aggregate.ByWorkload)) {
			got = append(got, string(f.Severity)+" "+f.Rule+" "+f.Namespace)
		}
		return got
	}
	if diff := cmp.Diff([]string{"warning permits-too-large large", "info static-pods-not-judged shop"}, rules(Options{})); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"info static-pods-not-judged shop"}, rules(Options{Params: CRD})); diff != "" {
		t.Errorf("findings with objects (-want +got):\n%s", diff)
	}
	for _, output := range (Options{}).outputs(members, aggregate.ByWorkload) {
		for _, object := range output.Objects() {
			if ns, ok := object.Value.(*metav1.PartialObjectMetadata); ok && len(ns.Annotations[cel.Key]) > cel.MaxText {
				t.Errorf("the permits of %s have %d bytes", ns.Name, len(ns.Annotations[cel.Key]))
			}
		}
	}
}
