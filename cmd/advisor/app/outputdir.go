package app

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/psp-advisor/psp-advisor/pkg/tree"
)

// plannedTree holds the changes to the directory of one engine.
type plannedTree struct {
	*tree.Plan
	dir string
}

// writeTrees writes the policies into the output directory, or compares them with
// it. The policies of several engines each get a directory in it, of the engine's
// name. Nothing is written before everything is planned.
func (o inspectOptions) writeTrees(obs *observe.Observation, results []generate.Result) error {
	scope := tree.Scope{
		Namespaces: obs.Scope.Namespaces,
		Excluded:   obs.Scope.ExcludedNamespaces,
		// What a selector excludes was not observed, nor what another source shows.
		Keep: len(obs.Gaps) > 0 || len(obs.Skipped) > 0 || obs.Scope.Partial(),
	}
	plans, err := o.planTrees(results, scope)
	if err != nil {
		return failureError(err)
	}
	partial := scope.Keep || o.level == aggregate.ByCluster && len(scope.Namespaces)+len(scope.Excluded) > 0
	var errs []error
	for _, p := range plans {
		if partial && !p.Empty() {
			if err := printErr(o.streams.Err, fmt.Sprintf("%s: not all objects were observed: changed policies can deny the pods of the others", p.dir)); err != nil {
				return err
			}
		}
		if n := p.Kept(); n > 0 {
			if err := printErr(o.streams.Err, fmt.Sprintf("%s: %s kept: %s not observed", p.dir, report.Count(n, "file"), byCount(n, "its workload was", "their workloads were"))); err != nil {
				return err
			}
		}
		if o.check {
			err = o.checkTree(p)
		} else {
			err = o.applyTree(p)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (o inspectOptions) planTrees(results []generate.Result, scope tree.Scope) ([]plannedTree, error) {
	if len(results) > 1 {
		if err := o.checkSingleEngine(results); err != nil {
			return nil, err
		}
	}
	var plans []plannedTree
	for _, r := range results {
		dir := o.outputDir
		if len(results) > 1 {
			dir = filepath.Join(dir, r.Engine.Name)
		}
		files, err := tree.Layout(r.Outputs, o.explain)
		if err != nil {
			return nil, err
		}
		plan, err := tree.NewPlan(dir, files, scope)
		if err != nil {
			return nil, err
		}
		plans = append(plans, plannedTree{plan, dir})
	}
	return plans, nil
}

// checkSingleEngine returns an error if the output directory holds the policies of a
// single engine at its top: they would stay there, and be out of date.
func (o inspectOptions) checkSingleEngine(results []generate.Result) error {
	plan, err := tree.NewPlan(o.outputDir, nil, tree.Scope{})
	if err != nil {
		return err
	}
	for _, file := range plan.Removed() {
		first, _, _ := strings.Cut(file, "/")
		if !slices.ContainsFunc(results, func(r generate.Result) bool { return r.Engine.Name == first }) {
			return fmt.Errorf("%s: %s was written for a single engine: choose another directory, or remove what the advisor wrote there", o.outputDir, file)
		}
	}
	return nil
}

// checkTree prints what would change, and fails if something would.
func (o inspectOptions) checkTree(p plannedTree) error {
	if p.Empty() {
		return nil
	}
	if err := writeOut(o.streams.Out, p.Diff()); err != nil {
		return err
	}
	return codedError{exitDrift, fmt.Errorf("%s is not up to date, %s: run the same command without --check", p.dir, countChanges(p.Plan, "to change", "to remove"))}
}

func (o inspectOptions) applyTree(p plannedTree) error {
	if err := p.Apply(); err != nil {
		return failureError(err)
	}
	return printErr(o.streams.Err, p.dir+": "+countChanges(p.Plan, "changed", "removed"))
}

// countChanges names removals apart, if any: more of them than expected are the
// sign of manifests that were not read.
func countChanges(plan *tree.Plan, changed, removed string) string {
	text := report.Count(len(plan.Changed()), "file") + " " + changed
	if n := len(plan.Removed()); n > 0 {
		text += fmt.Sprintf(", %d %s", n, removed)
	}
	return text
}
