package generate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMerge(t *testing.T) {
	policy := Object{Value: &map[string]string{"name": "policy"}}
	namespace := func(name, label, annotation, title string) Object {
		o := Object{Value: Namespace(name, nil, nil), Title: title, Reasons: Reasons{title: {"why"}}}
		if label != "" {
			o.Value = Namespace(name, map[string]string{label: "x"}, nil)
		}
		if annotation != "" {
			o.Value, o.Text = Namespace(name, nil, map[string]string{annotation: "x"}), []string{annotation}
		}
		return o
	}
	results := func() []Result {
		return []Result{
			{Outputs: []Output{{Name: "cluster", Objects: []Object{policy}}, {Name: "shop", Objects: []Object{policy, namespace("shop", "a", "", "first")}}}},
			{Outputs: []Output{{Name: "bank", Objects: []Object{namespace("bank", "b", "", "bank")}}, {Name: "shop", Objects: []Object{namespace("shop", "", "c", "second"), policy}}}},
		}
	}
	in := results()
	want := results()
	joined := namespace("shop", "a", "", "first; second")
	joined.Value = Namespace("shop", map[string]string{"a": "x"}, map[string]string{"c": "x"})
	joined.Reasons, joined.Text = Reasons{"first": {"why"}, "second": {"why"}}, []string{"c"}
	want[0].Outputs[1].Objects[1] = joined
	want[1].Outputs[1].Objects = []Object{policy}
	got := Merge(in)
	for r := range want {
		for o := range want[r].Outputs {
			if diff := cmp.Diff(want[r].Outputs[o].Objects, got[r].Outputs[o].Objects); diff != "" {
				t.Errorf("result %d, output %d (-want +got):\n%s", r, o, diff)
			}
		}
	}
	unchanged := results()
	for r := range in {
		for o := range in[r].Outputs {
			if diff := cmp.Diff(unchanged[r].Outputs[o].Objects, in[r].Outputs[o].Objects); diff != "" {
				t.Errorf("the argument has changed:\n%s", diff)
			}
		}
	}
}
