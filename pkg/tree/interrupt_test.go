package tree

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	"sigs.k8s.io/yaml"
)

// transition is a tree that becomes another one.
type transition struct {
	name     string
	old, new Files
}

func transitions(t *testing.T) []transition {
	r := podtest.Rand(t)
	list := []transition{
		{"from nothing", Files{}, Files{"shop/a.yaml": own("a: 1"), "cluster.yaml": own("c: 1")}},
		{"to nothing", Files{"shop/a.yaml": own("a: 1"), "cluster.yaml": own("c: 1")}, Files{}},
		{"to another level", Files{"shop/a.yaml": own("a: 1"), "team/a.yaml": own("a: 1")}, Files{"cluster.yaml": own("c: 1")}},
		{"from another level", Files{"cluster.yaml": own("c: 1")}, Files{"shop/a.yaml": own("a: 1"), "team/a.yaml": own("a: 1")}},
		{"to other names", Files{"shop/a.yaml": own("a: 1")}, Files{"shop/b.yaml": own("a: 1")}},
		{"to other namespaces", Files{"shop/a.yaml": own("a: 1")}, Files{"team/a.yaml": own("a: 1")}},
	}
	for i := range 10 {
		list = append(list, transition{fmt.Sprintf("random %d", i), randomFiles(r), randomFiles(r)})
	}
	return list
}

func randomFiles(r *rand.Rand) Files {
	files := Files{}
	for _, file := range []string{"a.yaml", "shop/a.yaml", "shop/b.yaml", "team/a.yaml", "team/b.yaml", "zoo/a.yaml"} {
		if n := r.IntN(3); n > 0 {
			files[file] = own(fmt.Sprintf("n: %d", n))
		}
	}
	return files
}

// TestInterrupted stops an apply after each of its steps, and within the next one,
// with a temporary file half written. Each time every file is whole and every
// kustomization true, and the next run completes the changes and leaves nothing
// else.
func TestInterrupted(t *testing.T) {
	for _, tc := range transitions(t) {
		t.Run(tc.name, func(t *testing.T) {
			before, after := treeOf(t, tc.old), treeOf(t, tc.new)
			foreign := tree{"README.md": "mine", "shop/notes.txt": "mine"}
			done := maps.Clone(after)
			maps.Copy(done, foreign)

			dir := filepath.Join(t.TempDir(), "policies")
			foreign.write(t, dir)
			apply(t, dir, tc.old, Scope{})
			root := openRoot(t, dir)
			steps := plan(t, dir, tc.new, Scope{}).steps()
			for i := 0; ; i++ {
				now := content(t, dir)
				for file, text := range now {
					if text != before[file] && text != after[file] && text != foreign[file] {
						t.Errorf("after %d steps, %s is not whole: %q", i, file, text)
					}
				}
				for _, missing := range untrue(t, now) {
					t.Errorf("after %d steps, %s", i, missing)
				}

				again := filepath.Join(t.TempDir(), "policies")
				if err := os.CopyFS(again, os.DirFS(dir)); err != nil {
					t.Fatal(err)
				}
				if i < len(steps) && steps[i].after != nil {
					data := steps[i].after
					tree{temporaryOf(steps[i].file): string(data[:len(data)/2])}.write(t, again)
				}
				if i > 0 && steps[i-1].before == nil {
					// A new file has its temporary name for a moment more.
					file := steps[i-1].file
					if err := os.Link(filepath.Join(again, file), filepath.Join(again, temporaryOf(file))); err != nil {
						t.Fatal(err)
					}
				}
				apply(t, again, tc.new, Scope{})
				if diff := cmp.Diff(done, content(t, again)); diff != "" {
					t.Errorf("the next run after %d steps (-want +got):\n%s", i, diff)
				}

				if i == len(steps) {
					break
				}
				if err := steps[i].apply(root); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(done, content(t, dir)); diff != "" {
				t.Errorf("after all steps (-want +got):\n%s", diff)
			}
		})
	}
}

// TestInTheWay changes the file of each step right before it. What somebody else
// saved stays, and the error names it.
func TestInTheWay(t *testing.T) {
	for _, tc := range []struct {
		name string
		text string
		want error
	}{
		{"a file of somebody else", "mine", errForeign},
		{"an edit", mark + "edited: true\n", errChanged},
		{"a link", "-> ../elsewhere", errForeign},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, tr := range transitions(t) {
				dir := filepath.Join(t.TempDir(), "policies")
				apply(t, dir, tr.old, Scope{})
				root := openRoot(t, dir)
				for i, step := range plan(t, dir, tr.new, Scope{}).steps() {
					file := filepath.Join(dir, step.file)
					if err := os.RemoveAll(file); err != nil {
						t.Fatal(err)
					}
					tree{step.file: tc.text}.write(t, dir)
					before := content(t, dir)
					if err := step.apply(root); !errors.Is(err, tc.want) || !strings.HasPrefix(err.Error(), file+" was ") {
						t.Errorf("%s, step %d: %s: error %v, want %v", tr.name, i, step.file, err, tc.want)
					}
					if diff := cmp.Diff(before, content(t, dir)); diff != "" {
						t.Errorf("%s, step %d: %s: something changed (-before +after):\n%s", tr.name, i, step.file, diff)
					}
					if err := os.Remove(file); err != nil {
						t.Fatal(err)
					}
					if step.before != nil {
						tree{step.file: string(step.before)}.write(t, dir)
					}
					if err := step.apply(root); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// TestInTheWayAtLast has a file appear after the last check, right before the new one
// gets its name.
func TestInTheWayAtLast(t *testing.T) {
	for _, tc := range []struct {
		name string
		text string
		want error
	}{
		{"a file of somebody else", "mine", errForeign},
		{"a file of another run", mark + "other: true\n", errChanged},
		{"a link", "-> ../elsewhere", errForeign},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			c := change{file: "shop/a.yaml", after: own("a: 1")}
			temp := temporaryOf(c.file)
			want := tree{c.file: tc.text, temp: string(c.after)}
			want.write(t, dir)
			if err := c.place(openRoot(t, dir), temp); !errors.Is(err, tc.want) || !strings.HasPrefix(err.Error(), filepath.Join(dir, c.file)+" was ") {
				t.Errorf("error %v, want %v", err, tc.want)
			}
			if diff := cmp.Diff(want, content(t, dir)); diff != "" {
				t.Errorf("something changed (-want +got):\n%s", diff)
			}
		})
	}
}

// untrue returns what the kustomizations of a tree name that is not there, or that
// kustomize cannot build.
func untrue(t *testing.T, files tree) []string {
	t.Helper()
	var missing []string
	for file, text := range files {
		if !isKustomization(file) {
			continue
		}
		for _, name := range resources(t, text) {
			named := path.Join(path.Dir(file), name)
			_, isFile := files[named]
			_, isDirectory := files[path.Join(named, kustomization)]
			if !isFile && !isDirectory {
				missing = append(missing, file+" names "+name+", which is not there")
			}
		}
	}
	return missing
}

func resources(t *testing.T, text string) []string {
	t.Helper()
	var k struct {
		APIVersion, Kind string
		Resources        []string
	}
	if err := yaml.UnmarshalStrict([]byte(text), &k); err != nil || len(k.Resources) == 0 {
		t.Errorf("a torn kustomization, error %v: %q", err, text)
	}
	return k.Resources
}

// treeOf returns the files with the kustomizations that are theirs.
func treeOf(t *testing.T, files Files) tree {
	t.Helper()
	all := maps.Clone(files)
	if err := addKustomizations(all, false); err != nil {
		t.Fatal(err)
	}
	want := tree{}
	for file, data := range all {
		want[file] = string(data)
	}
	return want
}

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}
