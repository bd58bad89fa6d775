package gatekeeper

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
)

func TestEachAttributeIsExpressed(t *testing.T) {
	celtest.EachAttributeIsExpressed(t, Engine(Options{}))
}

// describe returns the name of each template, and the name, namespaces, action and
// judgement of each constraint, with the first line of its permits.
func describe(outputs []generate.Output) []string {
	var list []string
	for _, o := range outputs {
		for _, object := range o.Objects() {
			switch v := object.Value.(type) {
			case *template:
				list = append(list, v.Kind+" "+v.Name)
			case *constraint:
				first, _, _ := strings.Cut(v.Spec.Parameters.Permits, "\n")
				list = append(list, strings.Join([]string{
					v.Name, strings.Join(v.Spec.Match.Namespaces, ","), v.Spec.EnforcementAction, strings.Join(v.Spec.Parameters.Judges, ","), first,
				}, " "))
			}
		}
	}
	return list
}

func TestObjects(t *testing.T) {
	members := []aggregate.Member{celtest.Member("shop", "web", "web", podtest.Pod()), celtest.Member("bank", "db", "db", podtest.Pod())}
	const constraintTemplate = "ConstraintTemplate advisorpodpermits"
	for _, tc := range []struct {
		name    string
		options Options
		level   aggregate.Level
		want    []string
	}{
		{"default", Options{}, aggregate.ByWorkload, []string{
			constraintTemplate,
			"advisor.bank bank warn accounts,privileges [db]",
			"advisor.shop shop warn accounts,privileges [web]",
		}},
		{"audit", Options{Enforcement: cel.Audit}, aggregate.ByNamespace, []string{
			constraintTemplate,
			"advisor.bank bank dryrun accounts,privileges [*]",
			"advisor.shop shop dryrun accounts,privileges [*]",
		}},
		{"unknown accounts warned about", Options{Enforcement: cel.Deny, UnknownAccounts: cel.WarnUnknown}, aggregate.ByServiceAccount, []string{
			constraintTemplate,
			"advisor.bank bank deny privileges [db]", "advisor.bank.unknown-accounts bank warn accounts [db]",
			"advisor.shop shop deny privileges [web]", "advisor.shop.unknown-accounts shop warn accounts [web]",
		}},
		{"unknown accounts allowed", Options{UnknownAccounts: cel.AllowUnknown}, aggregate.ByWorkload, []string{
			constraintTemplate,
			"advisor.bank bank warn privileges [db]",
			"advisor.shop shop warn privileges [web]",
		}},
		{"cluster", Options{}, aggregate.ByCluster, []string{constraintTemplate, "advisor.cluster bank,shop warn accounts,privileges [*]"}},
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

// Names of constraints are not longer than those of namespaces may be.
func TestLongNames(t *testing.T) {
	var members []aggregate.Member
	for _, last := range []string{"a", "b"} {
		members = append(members, celtest.Member(strings.Repeat("x", 62)+last, "web", "web", podtest.Pod()))
	}
	names := map[string]bool{}
	for _, output := range (Options{UnknownAccounts: cel.WarnUnknown}).outputs(members, aggregate.ByWorkload)[1:] {
		for _, object := range output.Objects() {
			name := object.Value.(*constraint).Name
			if len(name) > 63 || names[name] {
				t.Errorf("%s has %d characters, or is there twice", name, len(name))
			}
			names[name] = true
		}
	}
	if len(names) != 4 {
		t.Errorf("%d constraints, want 4", len(names))
	}
}

// The template never changes: a change makes Gatekeeper compile it again, and drop the
// constraints until then.
func TestTemplateIsConstant(t *testing.T) {
	r := podtest.Rand(t)
	of := func(o Options, level aggregate.Level) string {
		outputs := o.outputs([]aggregate.Member{celtest.Member("shop", "web", "web", podtest.Random(r))}, level)
		return celtest.YAML(t, []generate.Output{{Objects: generate.Made(outputs[0].Objects()[0])}})
	}
	a := of(Options{}, aggregate.ByWorkload)
	for _, b := range []string{of(Options{Enforcement: cel.Deny}, aggregate.ByNamespace), of(Options{UnknownAccounts: cel.WarnUnknown}, aggregate.ByCluster)} {
		if a != b {
			t.Errorf("two templates:\n%s", cmp.Diff(a, b))
		}
	}
	for _, lost := range []string{"does not answer", "CEL budget", "mirror pods"} {
		if !strings.Contains(a, lost) {
			t.Errorf("the template says nothing about %q", lost)
		}
	}
}

func TestFindings(t *testing.T) {
	var members []aggregate.Member
	for i := range 300 {
		pod := podtest.Pod(podtest.Volume("v", podtest.HostPath("/"+strings.Repeat("x", i+1)), nil))
		members = append(members, celtest.Member("large", "web"+strings.Repeat("x", i), "web", pod))
	}
	static := celtest.Member("shop", "etcd", "", podtest.Pod())
	static.Workload.Kind = "Node"
	members = append(members, static, celtest.Member("shop", "web", "web", podtest.Pod()))
	e := Engine(Options{})
	var got []string
	for _, f := range e.Findings(e.Outputs(members, aggregate.ByWorkload)) {
		got = append(got, string(f.Severity)+" "+f.Rule+" "+f.Namespace)
		if f.Rule == cel.RulePermitsTooLarge && !strings.Contains(f.Message, "Gatekeeper may refuse pods that are permitted") {
			t.Error(f.Message)
		}
	}
	if diff := cmp.Diff([]string{"warning permits-too-large large", "info static-pods-not-judged shop"}, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// Permits give up their comments if they are long, and nothing else.
func TestFit(t *testing.T) {
	table := func(n int) cel.Table {
		var members []aggregate.Member
		for i := range n {
			pod := podtest.Pod(podtest.Volume("v", podtest.HostPath("/"+strings.Repeat("x", i+1)), nil))
			members = append(members, celtest.Member("shop", "web"+strings.Repeat("x", i), "web", pod))
		}
		return cel.Tables(members, aggregate.ByWorkload)[0]
	}
	lines := longest(table(1).Text(false))
	for _, tc := range []struct {
		name     string
		n        int
		comments bool
		given    string
	}{
		{"small", 2, true, ""},
		{"long", maxLines / lines, false, "it has no comments"},
		{"too long", maxLines/lines + 1, false, "may refuse"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text, given := fit(table(tc.n))
			if strings.Contains(text, "#") != tc.comments || (given == "") != (tc.given == "") || !strings.HasSuffix(given, tc.given) && !strings.Contains(given, tc.given+" pods") {
				t.Errorf("given up: %q", given)
			}
			if got := strings.Count(text, "[web]"); got != tc.n {
				t.Errorf("%d alternatives, want %d", got, tc.n)
			}
		})
	}
}
