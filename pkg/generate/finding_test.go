package generate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
)

// about is a finding about workloads of a namespace.
func about(namespace string, names ...string) Finding {
	var members []aggregate.Member
	for _, name := range names {
		members = append(members, aggregate.Member{Workload: aggregate.Workload{Namespace: namespace, Kind: "Pod", Name: name}})
	}
	return About(members, Warning, "rule")
}

func TestJoinFindings(t *testing.T) {
	const wording = "%d volumes of %s"
	version := Finding{Severity: Info, Rule: "v"}.Say("the same for all")
	alone := about("shop", "db")
	alone.Message = "shop has a db"
	tests := map[string]struct {
		lists [][]Finding
		want  []Finding
	}{
		"none": {nil, nil},
		"of one namespace": {
			[][]Finding{{about("shop", "a", "%s").SayCount(wording, 2)}, nil},
			[]Finding{{Warning, "rule", "shop", []string{"Pod/a", "Pod/%s"}, "2 volumes of Pod/a, Pod/%s", "", 0}},
		},
		"of three": {
			[][]Finding{{about("shop", "a", "b").SayCount(wording, 2)}, {about("team", "a").SayCount(wording, 1)}, {about("x", "%d").SayCount(wording, 1)}},
			[]Finding{{Warning, "rule", "", []string{"shop Pod/a", "shop Pod/b", "team Pod/a", "x Pod/%d"}, "4 volumes of shop Pod/a, shop Pod/b, team Pod/a and 1 more", "", 0}},
		},
		"of those about several": {
			[][]Finding{{version}, {version}},
			[]Finding{{Severity: Info, Rule: "v", Message: "the same for all"}},
		},
		"of other wordings, and of namespaces alone": {
			[][]Finding{{about("shop", "a").Say("one of %s"), alone}, {about("shop", "a").Say("another of %s"), alone}},
			[]Finding{
				{Warning, "rule", "shop", []string{"Pod/a"}, "one of Pod/a", "", 0},
				alone,
				{Warning, "rule", "shop", []string{"Pod/a"}, "another of Pod/a", "", 0},
				alone,
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			message := func(lists [][]Finding) (all []string) {
				for _, list := range lists {
					for _, f := range list {
						all = append(all, f.Message)
						all = append(all, f.Workloads...)
					}
				}
				return all
			}
			before := message(tc.lists)
			if diff := cmp.Diff(tc.want, JoinFindings(tc.lists...), cmpopts.IgnoreUnexported(Finding{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, message(tc.lists)); diff != "" {
				t.Errorf("the arguments have changed (-before +after):\n%s", diff)
			}
		})
	}
}
