package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// Plan is a set of changes to a directory.
type Plan struct {
	// dir, want and scope are the arguments of NewPlan.
	dir   string
	want  Files
	scope Scope
	// old are the advisor's files in dir, leftovers the temporary files of killed
	// runs.
	old       Files
	leftovers []string
	changes   []change
	// kept is the number of files that are not wanted, but out of scope.
	kept int
}

// NewPlan compares the wanted files with those in dir. A dir that does not exist is
// empty.
func NewPlan(dir string, want Files, scope Scope) (*Plan, error) {
	p := &Plan{dir: dir, want: want, scope: scope, old: Files{}}
	root, err := open(dir)
	if err == nil {
		defer root.Close() //nolint:errcheck // only read
		p.old, p.leftovers, err = read(root)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	all := Files{}
	maps.Copy(all, want)
	for file, data := range p.old {
		if _, ok := want[file]; !ok && !isKustomization(file) && !scope.removes(file) {
			all[file] = data
			p.kept++
		}
	}
	if err := addKustomizations(all, scope.Patches); err != nil {
		return nil, err
	}
	for _, file := range slices.Sorted(maps.Keys(all)) {
		if len(all[file]) > maxSize {
			return nil, at(dir, file, errTooLarge)
		}
	}
	p.changes = changes(p.old, all)
	if root == nil {
		return p, nil // no file can be in the way
	}
	for _, c := range p.changes {
		if err := c.check(root); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Empty reports whether there is nothing to change.
func (p *Plan) Empty() bool { return len(p.changes) == 0 }

// Changed returns the paths of the files to write, sorted.
func (p *Plan) Changed() []string { return p.files(func(c change) bool { return c.after != nil }) }

// Removed returns the paths of the files to remove, sorted.
func (p *Plan) Removed() []string { return p.files(func(c change) bool { return c.after == nil }) }

func (p *Plan) files(of func(change) bool) []string {
	var files []string
	for _, c := range p.changes {
		if of(c) {
			files = append(files, c.file)
		}
	}
	return files
}

// Kept returns the number of files that stay although no observed workload needs them,
// because their workloads may exist without having been observed.
func (p *Plan) Kept() int { return p.kept }
