package tree

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewPlanRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before tree
		dir    string
		want   string
	}{
		{"a policy's file of someone else", tree{"p/shop/a.yaml": "kind: A"}, "p", "p/shop/a.yaml was not written by the advisor: move it away or choose another directory"},
		{"a file of someone else with other line ends", tree{"p/shop/a.yaml": "kind: A\r\n" + mark}, "p", "p/shop/a.yaml was not written by the advisor: move it away or choose another directory"},
		{"a kustomization of someone else", tree{"p/kustomization.yaml": "resources: []"}, "p", "p/kustomization.yaml was not written by the advisor: move it away or choose another directory"},
		{"a kustomization in a namespace", tree{"p/shop/kustomization.yaml": ""}, "p", "p/shop/kustomization.yaml was not written by the advisor: move it away or choose another directory"},
		{"a link in place of a file", tree{"p/shop/a.yaml": "-> ../../elsewhere", "elsewhere": mark}, "p", "p/shop/a.yaml was not written by the advisor: move it away or choose another directory"},
		{"a link in place of a namespace", tree{"p/shop": "-> ../elsewhere", "elsewhere/x": ""}, "p", "p/shop was not written by the advisor: move it away or choose another directory"},
		{"a file in place of a namespace", tree{"p/shop": "x"}, "p", "p/shop was not written by the advisor: move it away or choose another directory"},
		{"a directory in place of a kustomization", tree{"p/kustomization.yaml/x": ""}, "p", "p/kustomization.yaml was not written by the advisor: move it away or choose another directory"},
		{"an own file in place of a namespace", tree{"p/shop": mark}, "p", "p/shop was not written by the advisor: move it away or choose another directory"},
		{"a directory in place of a file", tree{"p/shop/a.yaml/x": ""}, "p", "p/shop/a.yaml was not written by the advisor: move it away or choose another directory"},
		{"no directory", tree{"p": mark}, "p", "reading p: it is not a directory"},
		{"below a file", tree{"p": mark}, "p/q", "reading p/q: stat p/q: not a directory"},
		{"a link to nothing", tree{"p": "-> nothing"}, "p", "reading p: it is a dangling symbolic link"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			tc.before.write(t, ".")
			_, err := NewPlan(filepath.FromSlash(tc.dir), Files{"shop/a.yaml": own("a: 1")}, Scope{})
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.before, content(t, ".")); diff != "" {
				t.Errorf("something changed (-before +after):\n%s", diff)
			}
		})
	}
}

// A file that the next run would not take for the advisor's is not written.
func TestNewPlanTooLarge(t *testing.T) {
	t.Chdir(t.TempDir())
	file := own("")
	for _, tc := range []struct {
		size int
		want string
	}{
		{maxSize, ""},
		{maxSize + 1, "p/shop/a.yaml would be larger than 16 MiB: choose a finer --level"},
	} {
		data := append(bytes.Repeat([]byte("#"), tc.size-len(file)), file...)
		copy(data, file)
		p, err := NewPlan("p", Files{"shop/a.yaml": data, "shop/b.yaml": file}, Scope{})
		if tc.want != "" {
			if err == nil || err.Error() != tc.want {
				t.Errorf("%d bytes: error %v, want %s", tc.size, err, tc.want)
			}
			continue
		}
		if err == nil {
			err = p.Apply()
		}
		if err != nil {
			t.Fatalf("%d bytes: %v", tc.size, err)
		}
		if p := plan(t, "p", Files{"shop/a.yaml": data, "shop/b.yaml": file}, Scope{}); !p.Empty() {
			t.Errorf("%d bytes: the next run would change %v", tc.size, p.Changed())
		}
	}
}

// Planning alone writes nothing.
func TestNewPlanWritesNothing(t *testing.T) {
	dir := t.TempDir()
	before := tree{"p/shop/a.yaml": mark, "p/" + temporaryOf("shop/a.yaml"): "left by a killed run"}
	before.write(t, dir)
	plan(t, filepath.Join(dir, "p"), Files{"shop/b.yaml": own("b: 1")}, Scope{}).Diff()
	plan(t, filepath.Join(dir, "q"), Files{"shop/b.yaml": own("b: 1")}, Scope{}).Diff()
	if diff := cmp.Diff(before, content(t, dir)); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
}

// The component of a directory without patches is there, once, and stays when the last patch
// is gone. A directory without policies has no kustomization.
func TestEmptyComponents(t *testing.T) {
	empty := mark + "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: []\n"
	for _, tc := range []struct {
		name   string
		before Files
		scope  Scope
		want   tree
	}{
		{"no patches", nil, Scope{Patches: true}, tree{"p/kustomization.yaml": empty}},
		{"no patches any more", Files{"shop/a.yaml": own("a: 1")}, Scope{Patches: true}, tree{"p/kustomization.yaml": empty}},
		{"no policies", nil, Scope{}, tree{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			apply(t, "p", tc.before, tc.scope)
			apply(t, "p", nil, tc.scope)
			if diff := cmp.Diff(tc.want, content(t, ".")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if p := plan(t, "p", nil, tc.scope); !p.Empty() {
				t.Errorf("another run changes %v", p.Changed())
			}
		})
	}
}
