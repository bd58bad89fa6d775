package tree

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Apply makes the changes, one file at a time. It stops at a file that has changed
// since NewPlan. Another run completes the changes.
func (p *Plan) Apply() error {
	if err := p.apply(); err != nil {
		return fmt.Errorf("writing %s: %w", p.dir, err)
	}
	return nil
}

func (p *Plan) apply() error {
	now, err := NewPlan(p.dir, p.want, p.scope)
	if err != nil {
		return err
	}
	if drift := changes(p.old, now.old); len(drift) > 0 {
		return at(p.dir, drift[0].file, errChanged)
	}
	if now.Empty() && len(now.leftovers) == 0 {
		return nil
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil { //nolint:gosec // a tree that others read
		return err
	}
	root, err := os.OpenRoot(p.dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // a directory has no unwritten data
	for _, c := range now.steps() {
		if err := c.apply(root); err != nil {
			return err
		}
	}
	for _, file := range now.leftovers {
		if err := remove(root, file); err != nil {
			return err
		}
	}
	return nil
}

// steps returns the changes in an order that keeps every kustomization.yaml valid: a
// file or directory is complete before a kustomization lists it, and is removed only
// when none lists it.
func (p *Plan) steps() []change {
	turn := func(c change) int {
		inner := strings.HasSuffix(c.file, "/"+kustomization)
		switch {
		case c.file == kustomization:
			return 2
		case c.after != nil && inner:
			return 1
		case c.after != nil:
			return 0
		case inner:
			return 3
		default:
			return 4
		}
	}
	return slices.SortedStableFunc(slices.Values(p.changes), func(a, b change) int { return cmp.Compare(turn(a), turn(b)) })
}
