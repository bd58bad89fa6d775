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
			name: "a directory that does not exist",
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
			name:   "what is gone is removed, with its directory",
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
		t.Errorf("the old file under another name is now %q, %v", data, err)
	}
	if mode := stat("shop").Mode().Perm(); mode != 0o775 {
		t.Errorf("the directory's mode is now %v", mode)
	}
}

// Directories stay as they are, also those that hold nothing; only one that the
// advisor's files leave empty goes.
func TestApplyKeepsDirectories(t *testing.T) {
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
	for _, name := range slices.Sorted(maps.Keys(modes)) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(path, 0o755), os.Chmod(path, modes[name])); err != nil {
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
		t.Errorf("directories (-want +got):\n%s", diff)
	}
}

// A file keeps its mode when it changes, whatever the umask; a new one has that of
// any new file.
func TestApplyKeepsModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	modes := map[string]fs.FileMode{"shop/private.yaml": 0o600, "shop/shared.yaml": 0o666, "shop/fixed.yaml": 0o444}
	want := Files{"shop/new.yaml": own("a: 1"), "team/new.yaml": own("a: 1")}
	for file, mode := range modes {
		tree{file: mark}.write(t, dir)
		if err := os.Chmod(filepath.Join(dir, file), mode); err != nil {
			t.Fatal(err)
		}
		want[file] = own("a: 1")
	}
	apply(t, dir, want, Scope{})
	mode := func(path string) fs.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	fresh := t.TempDir()
	tree{"directory/file": ""}.write(t, fresh)
	for _, file := range []string{"shop/new.yaml", "team/new.yaml", "team/kustomization.yaml", "kustomization.yaml"} {
		modes[file] = mode(filepath.Join(fresh, "directory/file"))
	}
	modes["team"] = mode(filepath.Join(fresh, "directory"))
	got := map[string]fs.FileMode{}
	for file := range modes {
		got[file] = mode(filepath.Join(dir, file))
	}
	if diff := cmp.Diff(modes, got); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

// A file that cannot be written leaves nothing half done.
func TestWriteFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	tree{"shop/a.yaml": mark, "x": "mine"}.write(t, dir)
	before := content(t, dir)
	for _, file := range []string{"shop/" + strings.Repeat("b", 256), "new/" + strings.Repeat("b", 256)} {
		p, err := NewPlan(dir, Files{file: own("b: 1")}, Scope{})
		if err == nil {
			err = p.Apply()
		}
		// Without a plan the name is found to be too long after the content is written.
		if again := (change{file, nil, own("b: 1")}).apply(openRoot(t, dir)); err == nil || again == nil {
			t.Errorf("errors %v and %v, want both", err, again)
		}
		if diff := cmp.Diff(before, content(t, dir)); diff != "" {
			t.Errorf("tree (-want +got):\n%s", diff)
		}
	}
}

// A plan is for the directory as it was.
func TestApplyOutOfDate(t *testing.T) {
	for _, tc := range []struct {
		name      string
		meanwhile tree
		want      string
	}{
		{"another run", tree{"shop/c.yaml": mark + "c: 1"}, "shop/c.yaml was changed by another process: run the command again"},
		{"an edit", tree{"shop/a.yaml": mark + "a: 2"}, "shop/a.yaml was changed by another process: run the command again"},
		{"an edit that is what is wanted", tree{"shop/a.yaml": string(own("a: 1"))}, "shop/a.yaml was changed by another process: run the command again"},
		{"a file of somebody else", tree{"shop/b.yaml": "mine"}, "shop/b.yaml was not written by the advisor: move it away or choose another directory"},
		{"a file that was the advisor's", tree{"shop/a.yaml": "mine"}, "shop/a.yaml was not written by the advisor: move it away or choose another directory"},
		{"a file in place of a namespace", tree{"team": "mine"}, "team was not written by the advisor: move it away or choose another directory"},
		{"a link in place of a namespace", tree{"team": "-> shop"}, "team was not written by the advisor: move it away or choose another directory"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			tree{"shop/a.yaml": mark}.write(t, "p")
			p := plan(t, "p", Files{"shop/a.yaml": own("a: 1"), "shop/b.yaml": own("b: 1"), "team/a.yaml": own("a: 1")}, Scope{})
			tc.meanwhile.write(t, "p")
			before := content(t, "p")
			if err := p.Apply(); err == nil || err.Error() != "writing p: p/"+tc.want {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if diff := cmp.Diff(before, content(t, "p")); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
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

// The directory may be the working directory, one above it, or the top of a
// checkout: none of it is replaced but the advisor's files.
func TestApplyAnywhere(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before tree
		cwd    string // below the temporary directory
		dir    string
		real   string // dir, below the temporary directory
	}{
		{"the working directory", tree{"p/x": ""}, "p", ".", "p"},
		{"above the working directory", tree{"p/q/r/x": ""}, "p/q/r", "../..", "p"},
		{"above the working directory, through a link", tree{"p/q/x": "", "l": "-> p"}, "l/q", "../../l", "p"},
		{"the working directory is a namespace's that goes", tree{"p/gone/x": ""}, "p/gone", "..", "p"},
		{"a checkout", tree{"p/.git/HEAD": "ref: x", "p/.git/index": "y", "p/.github/ci.yaml": "z", "x": ""}, ".", "p", "p"},
		{"a checkout that is the working directory", tree{"p/.git/HEAD": "ref: x"}, "p", ".", "p"},
		{"a linked worktree", tree{"p/.git": "gitdir: x"}, ".", "p", "p"},
		{"beside the working directory", tree{"p/x": "", "..p/x": ""}, "p", "../..p", "..p"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			tc.before.write(t, dir)
			tree{"gone/a.yaml": mark, "shop/a.yaml": mark}.write(t, filepath.Join(dir, tc.real))
			t.Chdir(filepath.Join(dir, tc.cwd))
			apply(t, tc.dir, Files{"shop/a.yaml": own("a: 1")}, Scope{})
			want := maps.Clone(tc.before)
			for file, text := range treeOf(t, Files{"shop/a.yaml": own("a: 1")}) {
				want[tc.real+"/"+file] = text
			}
			if diff := cmp.Diff(want, content(t, dir)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
	}
}

// The link stays, and the directory that it links to changes.
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
