package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// versioned is a tree of which a half depends on the version: no kustomization of
// two versions is the same where it names something else.
func versioned(version int) Files {
	files := Files{}
	for i := range 12 {
		text := fmt.Sprintf("number: %d", i)
		if i%2 == 0 {
			text += fmt.Sprintf("\nversion: %d", version)
		}
		files[fmt.Sprintf("ns%d/file%d.yaml", i%3, i)] = own(text + "\nend: true")
	}
	files[fmt.Sprintf("ns0/only%d.yaml", version)] = own("end: true")
	files[fmt.Sprintf("v%d/only.yaml", version)] = own("end: true")
	return files
}

// TestReader reads the tree as fast as it can while it changes: whatever it reads
// is whole, and what a kustomization names is there as long as it names it.
func TestReader(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	apply(t, dir, versioned(0), Scope{})
	read := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() {
		for range read {
		}
	})
	go func() {
		defer close(read)
		for {
			for _, name := range named(t, dir, kustomization) {
				named(t, dir, name+"/"+kustomization)
			}
			select {
			case read <- struct{}{}:
			case <-ctx.Done():
				return
			default:
			}
		}
	}()
	for version := 1; version <= 20; version++ {
		<-read
		apply(t, dir, versioned(version), Scope{})
	}
	stop()
	for range read {
	}
}

// named returns what a kustomization names, after it found all of that. It is none
// if the kustomization changed or went meanwhile.
func named(t *testing.T, dir, file string) []string {
	before, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Error(err)
	}
	names := resources(t, string(before))
	var problems []string
	for _, name := range names {
		if path.Ext(name) == "" {
			name += "/" + kustomization
		}
		data, err := os.ReadFile(filepath.Join(dir, path.Dir(file), name))
		switch {
		case err != nil:
			problems = append(problems, err.Error())
		case !strings.HasPrefix(string(data), mark) || !isKustomization(name) && !strings.HasSuffix(string(data), "end: true\n"):
			t.Errorf("%s is not whole: %q", name, data)
		}
	}
	after, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil || string(after) != string(before) {
		return nil
	}
	for _, problem := range problems {
		t.Errorf("%s names it: %s", file, problem)
	}
	return names
}

// TestForeignWriter saves files as fast as it can, in every directory there is,
// while the tree changes. None is ever lost.
func TestForeignWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	apply(t, dir, versioned(0), Scope{})
	saved := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() {
		for range saved {
		}
	})
	files := tree{} // what was saved, once saved is closed
	go func() {
		defer close(saved)
		for n := 0; ; n++ {
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Error(err)
			}
			file := fmt.Sprintf("notes%d.txt", n%7)
			if e := entries[n%len(entries)]; e.IsDir() {
				file = e.Name() + "/" + file
			}
			if text, ok := files[file]; ok {
				if data, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(data) != text {
					t.Errorf("%s is lost: %q, %v", file, data, err)
				}
			}
			text := fmt.Sprintf("mine: %d", n)
			switch err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); {
			case err == nil:
				files[file] = text
			case !errors.Is(err, fs.ErrNotExist): // the directory is gone
				t.Error(err)
			}
			select {
			case saved <- struct{}{}:
			case <-ctx.Done():
				return
			default:
			}
		}
	}()
	const last = 20
	for version := 1; version <= last; version++ {
		<-saved
		apply(t, dir, versioned(version), Scope{})
	}
	stop()
	for range saved {
	}
	want := treeOf(t, versioned(last))
	maps.Copy(want, files)
	if diff := cmp.Diff(want, content(t, dir)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	t.Logf("%d files were saved", len(files))
}

// Runs at once may stop each other, but never write into one file, and the next run
// makes the tree one of a kind again.
func TestAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	apply(t, dir, versioned(0), Scope{})
	var done, stopped int
	var mu sync.Mutex
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for range 10 {
				p, err := NewPlan(dir, versioned(worker), Scope{})
				if err == nil {
					err = p.Apply()
				}
				mu.Lock()
				switch {
				case err == nil:
					done++
				case errors.Is(err, errChanged):
					stopped++
				default:
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	t.Logf("%d runs were done, %d gave way", done, stopped)
	for file, text := range content(t, dir) {
		if !isKustomization(file) && (!strings.HasPrefix(text, mark) || !strings.HasSuffix(text, "end: true\n")) {
			t.Errorf("%s is not whole: %q", file, text)
		}
	}
	apply(t, dir, versioned(1), Scope{})
	if diff := cmp.Diff(treeOf(t, versioned(1)), content(t, dir)); diff != "" {
		t.Errorf("after the next run (-want +got):\n%s", diff)
	}
}
