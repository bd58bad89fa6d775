package tree

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// own returns a file as the advisor writes it.
func own(text string) []byte { return []byte(mark + text + "\n") }

// tree is the content of a directory: path to text, with links as "-> target" and
// directories that hold nothing as "empty".
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
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			entries, err := os.ReadDir(path)
			if len(entries) == 0 && rel != "." {
				files[rel+"/"] = "empty"
			}
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
	for _, pattern := range []string{".advisor-*", "*/.advisor-*"} {
		if left, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(left) > 0 {
			t.Errorf("left over: %v, %v", left, err)
		}
	}
}

const kustomizationHead = mark + "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
