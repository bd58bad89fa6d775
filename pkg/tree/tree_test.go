package tree

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// own returns a file as the advisor writes it.
func own(text string) []byte { return []byte(mark + text + "\n") }

// tree is a folder's content: path to text, with links as "-> target".
type tree map[string]string

func (want tree) write(t *testing.T, dir string) {
	t.Helper()
	for file, text := range want {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func content(t *testing.T, dir string) tree {
	t.Helper()
	files := tree{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			files[rel] = "-> " + target
			return err
		}
		data, err := os.ReadFile(path)
		files[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func plan(t *testing.T, dir string, want Files, scope Scope) *Plan {
	t.Helper()
	p, err := NewPlan(dir, want, scope)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(t *testing.T, dir string, want Files, scope Scope) {
	t.Helper()
	if err := plan(t, dir, want, scope).Apply(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*advisor-staging*"))
	if err != nil || len(left) > 0 {
		t.Fatalf("leftovers: %v, %v", left, err)
	}
}

const kustomizationHead = mark + "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"

func TestApply(t *testing.T) {
	shop := own("kind: A")
	for _, tc := range []struct {
		name   string
		before tree
		want   Files
		scope  Scope
		after  tree
	}{
		{
			name: "a folder that does not exist",
			want: Files{"shop/a.yaml": shop, "cluster.yaml": shop},
			after: tree{
				"cluster.yaml": string(shop), "shop/a.yaml": string(shop),
				"kustomization.yaml": kustomizationHead + "- cluster.yaml\n- shop\n", "shop/kustomization.yaml": kustomizationHead + "- a.yaml\n",
			},
		},
		{
			name:   "other files stay",
			before: tree{"README.md": "mine", ".hidden": "mine", "shop/notes.txt": "mine", "shop/sub/deep.yaml": mark, "docs/x.yaml": "kind: X", "link": "-> README.md", "gone/notes.txt": "mine", "gone/a.yaml": string(shop), "gone/kustomization.yaml": mark},
			want:   Files{"shop/a.yaml": shop},
			after: tree{
				"README.md": "mine", ".hidden": "mine", "shop/notes.txt": "mine", "shop/sub/deep.yaml": mark, "docs/x.yaml": "kind: X", "link": "-> README.md", "gone/notes.txt": "mine",
				"shop/a.yaml": string(shop), "kustomization.yaml": kustomizationHead + "- shop\n", "shop/kustomization.yaml": kustomizationHead + "- a.yaml\n",
			},
		},
		{
			name:   "what is gone is removed, with its folder",
			before: tree{"gone/a.yaml": string(shop), "gone/kustomization.yaml": mark, "old.yaml": string(shop), "kustomization.yaml": mark},
			want:   Files{"shop/a.yaml": shop},
			after:  tree{"shop/a.yaml": string(shop), "kustomization.yaml": kustomizationHead + "- shop\n", "shop/kustomization.yaml": kustomizationHead + "- a.yaml\n"},
		},
		{
			name:   "everything is gone",
			before: tree{"gone/a.yaml": string(shop), "gone/kustomization.yaml": mark, "kustomization.yaml": mark, "README.md": "mine"},
			want:   Files{},
			after:  tree{"README.md": "mine"},
		},
		{
			name:   "scope of one namespace",
			before: tree{"team/a.yaml": string(shop), "team/kustomization.yaml": kustomizationHead + "- a.yaml\n", "shop/old.yaml": string(shop), "cluster.yaml": string(shop)},
			want:   Files{"shop/a.yaml": shop},
			scope:  Scope{Namespaces: []string{"shop"}},
			after: tree{
				"team/a.yaml": string(shop), "team/kustomization.yaml": kustomizationHead + "- a.yaml\n", "cluster.yaml": string(shop),
				"shop/a.yaml": string(shop), "kustomization.yaml": kustomizationHead + "- cluster.yaml\n- shop\n- team\n", "shop/kustomization.yaml": kustomizationHead + "- a.yaml\n",
			},
		},
		{
			name:   "excluded namespaces",
			before: tree{"team/a.yaml": string(shop), "team/kustomization.yaml": kustomizationHead + "- a.yaml\n", "shop/old.yaml": string(shop)},
			want:   Files{"shop/a.yaml": shop},
			scope:  Scope{Excluded: []string{"team"}},
			after: tree{
				"team/a.yaml": string(shop), "team/kustomization.yaml": kustomizationHead + "- a.yaml\n",
				"shop/a.yaml": string(shop), "kustomization.yaml": kustomizationHead + "- shop\n- team\n", "shop/kustomization.yaml": kustomizationHead + "- a.yaml\n",
			},
		},
		{
			name:   "keep when something was not seen",
			before: tree{"shop/old.yaml": string(shop), "shop/a.yaml": string(own("old"))},
			want:   Files{"shop/a.yaml": shop},
			scope:  Scope{Keep: true},
			after:  tree{"shop/a.yaml": string(shop), "shop/old.yaml": string(shop), "kustomization.yaml": kustomizationHead + "- shop\n", "shop/kustomization.yaml": kustomizationHead + "- a.yaml\n- old.yaml\n"},
		},
		{
			name:   "edits are overwritten",
			before: tree{"shop/a.yaml": mark + "edited", "shop/kustomization.yaml": kustomizationHead + "- a.yaml\n- mine.yaml\n"},
			want:   Files{"shop/a.yaml": shop},
			after:  tree{"shop/a.yaml": string(shop), "kustomization.yaml": kustomizationHead + "- shop\n", "shop/kustomization.yaml": kustomizationHead + "- a.yaml\n"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "deep", "policies")
			tc.before.write(t, dir)
			apply(t, dir, tc.want, tc.scope)
			if diff := cmp.Diff(tc.after, content(t, dir)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			if p := plan(t, dir, tc.want, tc.scope); !p.Empty() {
				t.Errorf("a second run would change %v and remove %v", p.Changed(), p.Removed())
			}
		})
	}
}

// An unchanged file keeps its inode and time; a changed one does not touch what
// other links to the old one show.
func TestApplyKeepsUnchangedFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	apply(t, dir, Files{"shop/a.yaml": own("a: 1"), "shop/b.yaml": own("b: 1")}, Scope{})
	long := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	stat := func(file string) fs.FileInfo {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	for file := range content(t, dir) {
		if err := os.Chtimes(filepath.Join(dir, file), long, long); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "shop"), 0o775); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.Link(filepath.Join(dir, "shop/b.yaml"), backup); err != nil {
		t.Skipf("SKIPPED: no hard links here: %v", err)
	}
	before := map[string]fs.FileInfo{}
	for file := range content(t, dir) {
		before[file] = stat(file)
	}
	apply(t, dir, Files{"shop/a.yaml": own("a: 1"), "shop/b.yaml": own("b: 2")}, Scope{})
	for file, info := range before {
		after := stat(file)
		if changed := file == "shop/b.yaml"; os.SameFile(info, after) == changed || after.ModTime().Equal(long) == changed {
			t.Errorf("%s: same file %v, time %v", file, os.SameFile(info, after), after.ModTime())
		}
	}
	if data, err := os.ReadFile(backup); err != nil || string(data) != string(own("b: 1")) {
		t.Errorf("the old file behind another link is now %q, %v", data, err)
	}
	if mode := stat("shop").Mode().Perm(); mode != 0o775 {
		t.Errorf("the folder's mode is now %v", mode)
	}
}

// Folders stay as they are, also those that hold nothing; only one that the
// advisor's files leave empty goes.
func TestApplyKeepsFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	tree{"shop/old.yaml": mark, "gone/a.yaml": mark, "half/a.yaml": mark}.write(t, dir)
	modes := map[string]fs.FileMode{
		".":           0o775 | fs.ModeSetgid,
		"shop":        0o757 | fs.ModeSticky,
		"empty":       0o750,
		"empty/below": 0o777 | fs.ModeSetgid | fs.ModeSticky,
		"gone":        0o755,
		"half":        0o755,
		"half/empty":  0o705,
	}
	for _, folder := range slices.Sorted(maps.Keys(modes)) {
		path := filepath.Join(dir, folder)
		if err := errors.Join(os.MkdirAll(path, 0o755), os.Chmod(path, modes[folder])); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, dir, Files{"shop/a.yaml": own("a: 1")}, Scope{})
	got := map[string]fs.FileMode{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		rel, relErr := filepath.Rel(dir, path)
		info, err := d.Info()
		if err := errors.Join(relErr, err); err != nil {
			return err
		}
		got[filepath.ToSlash(rel)] = info.Mode() &^ fs.ModeDir
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(modes, "gone")
	if diff := cmp.Diff(modes, got); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
}

// A checkout with CRLF line ends is the same tree: it shows no drift, and only
// what changes is written anew.
func TestLineEnds(t *testing.T) {
	crlf := func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }
	dir := filepath.Join(t.TempDir(), "policies")
	want := Files{"shop/a.yaml": own("a: 1"), "shop/b.yaml": own("b: 1")}
	apply(t, dir, want, Scope{})
	checkout := content(t, dir)
	for file, text := range checkout {
		checkout[file] = crlf(text)
	}
	checkout["notes.txt"] = "mine\r\n"
	checkout.write(t, dir)
	if p := plan(t, dir, want, Scope{}); !p.Empty() {
		t.Errorf("drift:\n%s", p.Diff())
	}
	want["shop/b.yaml"] = own("b: 2")
	p := plan(t, dir, want, Scope{})
	if diff := cmp.Diff([]string{"shop/b.yaml"}, p.Changed()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if strings.Contains(string(p.Diff()), "\r") {
		t.Errorf("the diff shows line ends:\n%q", p.Diff())
	}
	if err := p.Apply(); err != nil {
		t.Fatal(err)
	}
	checkout["shop/b.yaml"] = string(own("b: 2"))
	if diff := cmp.Diff(checkout, content(t, dir)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

func TestNewPlanRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before tree
		dir    string
		want   string
	}{
		{"a policy's file of someone else", tree{"p/shop/a.yaml": "kind: A"}, "p", "p/shop/a.yaml was not written by the advisor: move it away or choose another folder"},
		{"a file of someone else with other line ends", tree{"p/shop/a.yaml": "kind: A\r\n" + mark}, "p", "p/shop/a.yaml was not written by the advisor: move it away or choose another folder"},
		{"a kustomization of someone else", tree{"p/kustomization.yaml": "resources: []"}, "p", "p/kustomization.yaml was not written by the advisor: move it away or choose another folder"},
		{"a kustomization in a namespace", tree{"p/shop/kustomization.yaml": ""}, "p", "p/shop/kustomization.yaml was not written by the advisor: move it away or choose another folder"},
		{"a link in place of a file", tree{"p/shop/a.yaml": "-> ../../elsewhere", "elsewhere": mark}, "p", "p/shop/a.yaml was not written by the advisor: move it away or choose another folder"},
		{"a link in place of a namespace", tree{"p/shop": "-> ../elsewhere", "elsewhere/x": ""}, "p", "p/shop was not written by the advisor: move it away or choose another folder"},
		{"a file in place of a namespace", tree{"p/shop": "x"}, "p", "p/shop was not written by the advisor: move it away or choose another folder"},
		{"a folder in place of a file", tree{"p/shop/a.yaml/x": ""}, "p", "p/shop/a.yaml was not written by the advisor: move it away or choose another folder"},
		{"no folder", tree{"p": mark}, "p", "reading p: it is not a folder"},
		{"below a file", tree{"p": mark}, "p/q", "reading p/q: not a directory"},
		{"a link to nothing", tree{"p": "-> nothing"}, "p", "reading p: it is a symbolic link to nothing"},
		{"an interrupted exchange in two steps", tree{".p.advisor-staging.old/shop/a.yaml": mark}, "p", "reading p: an interrupted run left the tree at DIR/.p.advisor-staging.old: rename it back"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			tc.before.write(t, ".")
			_, err := NewPlan(filepath.FromSlash(tc.dir), Files{"shop/a.yaml": own("a: 1")}, Scope{})
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tc.want, strings.ReplaceAll(err.Error(), dir, "DIR")); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.before, content(t, ".")); diff != "" {
				t.Errorf("something changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before tree
		cwd    string // below the temporary folder
		dir    string
		want   string
	}{
		{"the working folder", tree{"p/x": ""}, "p", ".", "writing .: the working folder is in it, and it is replaced as a whole: start from outside"},
		{"above the working folder", tree{"p/q/r/x": ""}, "p/q/r", "../..", "writing ../..: the working folder is in it, and it is replaced as a whole: start from outside"},
		{"above the working folder, through a link", tree{"p/q/x": "", "l": "-> p"}, "l/q", "../../l", "writing ../../l: the working folder is in it, and it is replaced as a whole: start from outside"},
		{"a checkout", tree{"p/.git/HEAD": "", "x": ""}, ".", "p", "writing p: it is the top of a git checkout: name a folder in it"},
		{"a linked worktree", tree{"p/.git": "gitdir: x"}, ".", "p", "writing p: it is the top of a git checkout: name a folder in it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			tc.before.write(t, dir)
			t.Chdir(filepath.Join(dir, tc.cwd))
			err := plan(t, tc.dir, Files{"shop/a.yaml": own("a: 1")}, Scope{}).Apply()
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.before, content(t, dir)); diff != "" {
				t.Errorf("something changed (-before +after):\n%s", diff)
			}
		})
	}
}

// A folder beside the working folder of a similar name is no parent of it.
func TestApplyBesideTheWorkingFolder(t *testing.T) {
	dir := t.TempDir()
	tree{"p/x": "", "p-2/x": "", "..p/x": ""}.write(t, dir)
	t.Chdir(filepath.Join(dir, "p"))
	for _, d := range []string{"../p-2", "../..p"} {
		apply(t, d, Files{"shop/a.yaml": own("a: 1")}, Scope{})
	}
}

// The link stays, and the folder behind it changes.
func TestApplyThroughLink(t *testing.T) {
	dir := t.TempDir()
	tree{"real/shop/old.yaml": mark, "link": "-> real"}.write(t, dir)
	apply(t, filepath.Join(dir, "link"), Files{"shop/a.yaml": own("a: 1")}, Scope{})
	want := tree{
		"link": "-> real", "real/shop/a.yaml": string(own("a: 1")),
		"real/kustomization.yaml": kustomizationHead + "- shop\n", "real/shop/kustomization.yaml": kustomizationHead + "- a.yaml\n",
	}
	if diff := cmp.Diff(want, content(t, dir)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

// Planning alone writes nothing.
func TestNewPlanWritesNothing(t *testing.T) {
	dir := t.TempDir()
	before := tree{"p/shop/a.yaml": mark, ".p.advisor-staging/x": "left by an interrupted run"}
	before.write(t, dir)
	plan(t, filepath.Join(dir, "p"), Files{"shop/b.yaml": own("b: 1")}, Scope{}).Diff()
	plan(t, filepath.Join(dir, "q"), Files{"shop/b.yaml": own("b: 1")}, Scope{}).Diff()
	if diff := cmp.Diff(before, content(t, dir)); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
}
