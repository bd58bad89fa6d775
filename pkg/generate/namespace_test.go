package generate

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
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
			{Outputs: []Output{{Name: "cluster", Objects: Made(policy)}, {Name: "shop", Objects: Made(policy, namespace("shop", "a", "", "first"))}}},
			{Outputs: []Output{{Name: "bank", Objects: Made(namespace("bank", "b", "", "bank"))}, {Name: "shop", Objects: Made(namespace("shop", "", "c", "second"), policy)}}},
		}
	}
	in := results()
	want := results()
	joined := namespace("shop", "a", "", "first; second")
	joined.Value = Namespace("shop", map[string]string{"a": "x"}, map[string]string{"c": "x"})
	joined.Reasons, joined.Text = Reasons{"first": {"why"}, "second": {"why"}}, []string{"c"}
	want[0].Outputs[1].Objects = Made(policy, joined)
	want[1].Outputs[1].Objects = Made(policy)
	got := Merge(in)
	for r := range want {
		for o := range want[r].Outputs {
			if diff := cmp.Diff(want[r].Outputs[o].Objects(), got[r].Outputs[o].Objects()); diff != "" {
				t.Errorf("result %d, output %d (-want +got):\n%s", r, o, diff)
			}
		}
	}
	unchanged := results()
	for r := range in {
		for o := range in[r].Outputs {
			if diff := cmp.Diff(unchanged[r].Outputs[o].Objects(), in[r].Outputs[o].Objects()); diff != "" {
				t.Errorf("the argument has changed:\n%s", diff)
			}
		}
	}
}

// What is written and then merged is what is merged and then written, whatever the
// strings are.
func TestMergeYAML(t *testing.T) {
	for _, s := range append(slices.Clone(hostileStrings), "[web]\n# for x\nhostPID\n\n[db]\nhostIPC", "a\n\n---\nb") {
		policy := Object{Value: &map[string]any{"kind": "Policy", "metadata": map[string]any{"name": s}}, Title: "policy", Reasons: Reasons{"kind": {"why"}}}
		namespace := func(name, label, annotation string, reasons ...string) Object {
			return Object{
				Value: Namespace(name, map[string]string{label: s}, map[string]string{annotation: s}),
				Title: "for " + printable.Line(s, 40), Text: []string{"metadata.annotations." + annotation},
				Reasons: Reasons{"metadata.labels." + label: reasons},
			}
		}
		group := func(name string) aggregate.Group { return aggregate.Group{Namespace: name} }
		results := []Result{
			{Outputs: []Output{{Objects: Made(policy)}, {Group: group("a"), Objects: Made(namespace("a", "one/x", "one/y", "because", "and "+printable.Line(s, 40)))}}},
			{Outputs: []Output{{Group: group("a"), Objects: Made(namespace("a", "two/x", "two/y"))}, {Group: group("b"), Objects: Made(namespace("b", "two/x", "two/y", "#"))}}},
		}
		write := func(results []Result) (streams [][]byte) {
			for _, r := range results {
				data, err := YAML(r.Outputs, true)
				if err != nil {
					t.Fatal(err)
				}
				streams = append(streams, data)
			}
			return streams
		}
		want := string(bytes.Join(write(Merge(results)), nil))
		got, err := MergeYAML(write(results)...)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", s, diff)
		}
	}
}
