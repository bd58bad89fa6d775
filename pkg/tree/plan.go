package tree

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Plan is what has to change in a folder.
type Plan struct {
	// dir is the folder as the user names it, real its absolute path, with
	// symbolic links followed.
	dir, real string
	// want and scope are what the plan was made for.
	want  Files
	scope Scope
	// changes by path: nil removes the file.
	changes map[string][]byte
	old     Files
	// kept counts the files that are not wanted and stay, as they are out of
	// scope.
	kept int
}

// Scope says which of the advisor's files may be removed.
type Scope struct {
	// Namespaces that were observed; none means all. Files of others stay.
	Namespaces []string
	// Excluded namespaces were not observed either.
	Excluded []string
	// Keep is set when something there was not observed: nothing is removed.
	Keep bool
}

func (s Scope) removes(file string) bool {
	if s.Keep {
		return false
	}
	namespace, _, inNamespace := strings.Cut(file, "/")
	if !inNamespace {
		return len(s.Namespaces) == 0 && len(s.Excluded) == 0
	}
	return !slices.Contains(s.Excluded, namespace) && (len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, namespace))
}

// NewPlan compares the wanted files with what dir holds; a dir that does not
// exist is an empty one.
func NewPlan(dir string, want Files, scope Scope) (*Plan, error) {
	realDir, err := locate(dir)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	old, foreign, err := read(realDir)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	p := &Plan{dir: dir, real: realDir, want: want, scope: scope, changes: map[string][]byte{}, old: old}
	all := maps.Clone(want)
	for file, data := range old {
		if _, ok := want[file]; !ok && !isKustomization(file) && !scope.removes(file) {
			all[file] = data
			p.kept++
		}
	}
	if err := addKustomizations(all); err != nil {
		return nil, err
	}
	for _, file := range slices.Sorted(maps.Keys(all)) {
		data := all[file]
		// The namespace's folder may be a file, or a link to elsewhere.
		for _, name := range []string{path.Dir(file), file} {
			if foreign[name] {
				return nil, fmt.Errorf("%s was not written by the advisor: move it away or choose another folder", filepath.Join(dir, filepath.FromSlash(name)))
			}
		}
		if before, ok := old[file]; !ok || !bytes.Equal(before, data) {
			p.changes[file] = data
		}
	}
	for file := range old {
		if _, ok := all[file]; !ok {
			p.changes[file] = nil
		}
	}
	return p, nil
}

// Empty reports whether there is nothing to change.
func (p *Plan) Empty() bool { return len(p.changes) == 0 }

// Changed returns the paths that are written, sorted.
func (p *Plan) Changed() []string {
	return slices.DeleteFunc(p.paths(), func(file string) bool { return p.changes[file] == nil })
}

// Removed returns the paths that are removed, sorted.
func (p *Plan) Removed() []string {
	return slices.DeleteFunc(p.paths(), func(file string) bool { return p.changes[file] != nil })
}

func (p *Plan) paths() []string { return slices.Sorted(maps.Keys(p.changes)) }

// Kept returns how many files stay though no observed workload has them: it may
// be that the workload is gone, or that it was not looked at.
func (p *Plan) Kept() int { return p.kept }
