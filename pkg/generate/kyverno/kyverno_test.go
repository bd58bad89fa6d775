package kyverno

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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestEachAttributeIsExpressed(t *testing.T) {
	celtest.EachAttributeIsExpressed(t, Engine(Options{}))
}

// describe returns the name, the actions and the first validation of each policy, and
// the name and label of each Namespace.
func describe(outputs []generate.Output) []string {
	var list []string
	for _, o := range outputs {
		for _, object := range o.Objects() {
			switch v := object.Value.(type) {
			case *policy:
				line := v.Name
				for _, a := range v.Spec.ValidationActions {
					line += " " + string(a)
				}
				for _, validation := range v.Spec.Validations {
					line += ", " + validation.Expression
				}
				list = append(list, line)
			case *metav1.PartialObjectMetadata:
				list = append(list, v.Kind+" "+v.Name+" "+v.Labels[cel.Key])
			}
		}
	}
	return list
}

func TestObjects(t *testing.T) {
	members := []aggregate.Member{celtest.Member("shop", "web", "web", podtest.Pod()), celtest.Member("bank", "db", "db", podtest.Pod())}
	annotated := []string{"Namespace bank annotation", "Namespace shop annotation"}
	const known, beyond = ", variables.known", ", !variables.known || variables.admitted"
	for _, tc := range []struct {
		name    string
		options Options
		level   aggregate.Level
		want    []string
	}{
		{"default", Options{}, aggregate.ByWorkload, slices.Concat([]string{"advisor.privileges Warn Audit" + known + beyond}, annotated)},
		{"audit", Options{Enforcement: cel.Audit}, aggregate.ByWorkload, slices.Concat([]string{"advisor.privileges Audit" + known + beyond}, annotated)},
		{"unknown accounts warned about", Options{Enforcement: cel.Deny, UnknownAccounts: cel.WarnUnknown}, aggregate.ByNamespace, slices.Concat([]string{"advisor.privileges Deny Audit" + beyond, "advisor.unknown-accounts Warn Audit" + known}, annotated)},
		{"unknown accounts allowed", Options{UnknownAccounts: cel.AllowUnknown}, aggregate.ByServiceAccount, slices.Concat([]string{"advisor.privileges Warn Audit" + beyond}, annotated)},
		{"cluster", Options{}, aggregate.ByCluster, []string{"advisor.privileges Warn Audit" + known + beyond, "Namespace bank policy", "Namespace shop policy"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			outputs := tc.options.outputs(members, tc.level)
			if diff := cmp.Diff(tc.want, describe(outputs)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			slices.Reverse(members)
			if diff := cmp.Diff(celtest.YAML(t, outputs), celtest.YAML(t, tc.options.outputs(members, tc.level))); diff != "" {
				t.Errorf("the order of the members matters (-want +got):\n%s", diff)
			}
		})
	}
	if got := (Options{}).outputs(nil, aggregate.ByWorkload); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

// The policy of a cluster never changes with what runs in it, except at cluster level,
// where no expression is longer than the parser accepts.
func TestPolicyDoesNotDependOnPods(t *testing.T) {
	r := podtest.Rand(t)
	of := func(level aggregate.Level) generate.Output {
		return Options{}.outputs([]aggregate.Member{celtest.Member("shop", "web", "web", podtest.Random(r))}, level)[0]
	}
	a, b := of(aggregate.ByWorkload), of(aggregate.ByNamespace)
	if diff := cmp.Diff(celtest.YAML(t, []generate.Output{a}), celtest.YAML(t, []generate.Output{b})); diff != "" {
		t.Errorf("two policies:\n%s", diff)
	}
	variables := of(aggregate.ByCluster).Objects()[0].Value.(*policy).Spec.Variables
	if variables[0].Name != "text0" || !strings.Contains(variables[0].Expression, "runtimeClass") {
		t.Errorf("no permits in the policy: %v", variables[0])
	}
}

// Kyverno's controllers would judge templates, which have no defaults yet, if the list
// of kinds were absent.
func TestTemplatesAreNotJudged(t *testing.T) {
	text := celtest.YAML(t, Options{}.outputs([]aggregate.Member{celtest.Member("shop", "web", "web", podtest.Pod())}, aggregate.ByWorkload))
	if !strings.Contains(text, "podControllers:\n      controllers: []\n") {
		t.Errorf("no empty list of controllers in\n%s", text)
	}
}

func TestFindings(t *testing.T) {
	static := celtest.Member("kube-system", "etcd", "", podtest.Pod())
	static.Workload.Kind = "Node"
	members := []aggregate.Member{static, celtest.Member("kube-system", "proxy", "proxy", podtest.Pod()), celtest.Member("shop", "web", "web", podtest.Pod())}
	var got []string
	for _, f := range findings(Options{Enforcement: cel.Deny}.outputs(members, aggregate.ByWorkload)) {
		got = append(got, string(f.Severity)+" "+f.Rule+" "+f.Namespace+" "+strings.Join(f.Workloads, " "))
	}
	want := []string{"info static-pods-not-judged kube-system Node/etcd", "warning namespace-not-judged kube-system Deployment/proxy"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
