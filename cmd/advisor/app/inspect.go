package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/psp-advisor/psp-advisor/pkg/tree"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
)

const inspectExample = `  # The policies of one namespace of the current cluster
  advisor inspect --namespace shop

  # Of manifests, with no cluster
  advisor inspect -f deployment.yaml

  # One policy per namespace, applied at once
  advisor inspect --level namespace | kubectl apply -f -

  # A directory to commit, and a check that it is up to date
  advisor inspect --output-dir policies
  advisor inspect --output-dir policies --check`

// inspectFlags are the flags of inspect.
type inspectFlags struct {
	*observeFlags
	files       []string
	recursive   bool
	skipInvalid bool
	output      string
	explain     bool
	outputDir   string
	check       bool
}

// inspectOptions is a checked run of inspect.
type inspectOptions struct {
	scope     observe.Scope
	level     aggregate.Level
	files     []string // none: a cluster
	recursive bool
	// skipInvalid goes on past what cannot be read in files.
	skipInvalid bool
	// restConfig gives the connection; it is called only without files.
	restConfig   func() (*rest.Config, error)
	allowPartial bool
	json         bool
	explain      bool
	outputDir    string
	check        bool
	streams      Streams
	engines      []generate.Engine
}

func newInspectCommand(s setting) *cobra.Command {
	f := &inspectFlags{observeFlags: newObserveFlags(s)}
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Print or write the policies of the pods seen now",
		Long: `inspect observes the pods of a cluster, or those of manifests, once: those that run, and those
that templates will create. It writes the tightest policies that admit them unchanged, and the RBAC
that lets each service account use its own. Policies go to standard output, or into a directory;
what was observed, what could not be, and what to know of the policies goes to standard error.
Nothing in the cluster is changed.`,
		Example: inspectExample,
		Annotations: exitCodes(
			"0  done",
			"1  --check found a difference",
			"2  wrong flags, or input that cannot be read: nothing was printed",
			"3  the server or the file system failed, or something cannot be observed",
		),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unexpected argument %q: manifests are named with --filename", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options(cmd.Flags())
			if err != nil {
				return err
			}
			ctx, cancel := f.deadline(cmd.Context())
			defer cancel()
			return o.run(ctx)
		},
	}
	f.addTo(cmd)
	flags := cmd.Flags()
	flags.StringSliceVarP(&f.files, "filename", "f", nil, "manifest file, directory, URL or - for standard input, instead of a cluster; repeatable")
	flags.BoolVarP(&f.recursive, "recursive", "R", false, "read subdirectories too")
	flags.BoolVar(&f.skipInvalid, "skip-invalid", false, "go on past documents that cannot be read, and name them")
	flags.StringVarP(&f.output, "output", "o", "yaml", "yaml or json")
	flags.BoolVar(&f.explain, "explain", true, "comments that say who needs each permission")
	flags.StringVar(&f.outputDir, "output-dir", "", "write a directory of files instead, for a repository")
	flags.BoolVar(&f.check, "check", false, "with --output-dir: write nothing, print a diff, exit 1 if there is one")
	s.completeFiles(cmd, "filename", "yaml", "yml", "json")
	s.completeDirectories(cmd, "output-dir")
	s.completeWords(cmd, "output", "json", "yaml")
	return cmd
}

func (f *inspectFlags) options(given *pflag.FlagSet) (inspectOptions, error) {
	var errs []error
	if f.output != "yaml" && f.output != "json" {
		errs = append(errs, fmt.Errorf("--output: unknown format %q: want yaml or json", f.output))
	}
	if f.check && f.outputDir == "" {
		errs = append(errs, errors.New("--check: needs --output-dir"))
	}
	if f.outputDir != "" && f.output != "yaml" {
		errs = append(errs, errors.New("--output: a directory holds YAML only"))
	}
	if f.recursive && len(f.files) == 0 {
		errs = append(errs, errors.New("--recursive: needs --filename"))
	}
	if f.skipInvalid && len(f.files) == 0 {
		errs = append(errs, errors.New("--skip-invalid: needs --filename"))
	}
	scope, level, err := f.scope(given)
	if err := errors.Join(append(errs, err)...); err != nil {
		return inspectOptions{}, usageError(err)
	}
	return inspectOptions{
		scope: scope, level: level, files: f.files, recursive: f.recursive, skipInvalid: f.skipInvalid,
		restConfig: f.restConfig, allowPartial: f.allowPartial,
		json: f.output == "json", explain: f.explain, outputDir: f.outputDir, check: f.check,
		streams: f.Streams, engines: f.engines,
	}, nil
}

func (o inspectOptions) run(ctx context.Context) error {
	obs, err := o.look(ctx)
	if err != nil {
		return err
	}
	results := generate.Run(o.engines, obs.Members, o.level)
	if err := o.tell(obs, results); err != nil {
		return err
	}
	if len(obs.Gaps) > 0 && !o.allowPartial {
		return failureError(fmt.Errorf("%s of objects could not be observed, and policies without them might refuse pods: grant the rights, or go on with --allow-partial", report.Count(len(obs.Gaps), "kind")))
	}
	if o.outputDir != "" {
		return o.writeTree(obs, results[0].Outputs)
	}
	return o.print(results[0].Outputs)
}

func (o inspectOptions) look(ctx context.Context) (*observe.Observation, error) {
	if len(o.files) > 0 {
		obs, err := manifest.Read(ctx, o.files, manifest.Options{Recursive: o.recursive, SkipInvalid: o.skipInvalid, In: o.streams.In}, o.scope)
		if err != nil {
			return nil, readError(err)
		}
		return obs, nil
	}
	config, err := o.restConfig()
	if errors.Is(err, errNoCluster) {
		err = fmt.Errorf("%w, or manifests with --filename", err)
	}
	if err != nil {
		return nil, failureError(fmt.Errorf("connecting: %w", err))
	}
	return observeCluster(ctx, config, o.scope, o.engines, o.streams.Err)
}

// tell writes the summary and what was skipped to standard error.
func (o inspectOptions) tell(obs *observe.Observation, results []generate.Result) error {
	var lines []string
	for _, err := range obs.Skipped {
		lines = append(lines, "skipped: "+err.Error())
	}
	if n := len(obs.Skipped); n > 0 {
		lines = append(lines, report.Count(n, "document")+" skipped: what they run is not covered")
	}
	for _, w := range firstWarnings(obs.Warnings) {
		lines = append(lines, "warning: "+w)
	}
	if len(obs.Unread) > 0 {
		n := 0
		var kinds []string
		for _, u := range obs.Unread {
			n += u.Objects
			kinds = append(kinds, u.String())
		}
		lines = append(lines, report.Count(n, "object")+" skipped, of kinds that are not read: "+generate.FirstFew(kinds))
	}
	if n := obs.Elsewhere; n > 0 {
		lines = append(lines, report.Count(n, "object")+" skipped, in other namespaces")
	}
	var summary strings.Builder
	if err := report.New(obs, o.level, results).Summary(&summary); err != nil {
		return failureError(err)
	}
	lines = slices.AppendSeq(lines, strings.Lines(summary.String()))
	for _, line := range lines {
		if err := tell(o.streams.Err, line); err != nil {
			return err
		}
	}
	return nil
}

func (o inspectOptions) print(outputs []generate.Output) error {
	data, err := o.encode(outputs)
	if err != nil {
		return failureError(err)
	}
	return writeOut(o.streams.Out, data)
}

func (o inspectOptions) encode(outputs []generate.Output) ([]byte, error) {
	if o.json {
		return generate.JSON(outputs)
	}
	return generate.YAML(outputs, o.explain)
}

func writeOut(out io.Writer, data []byte) error {
	if _, err := out.Write(data); err != nil {
		return failureError(fmt.Errorf("writing output: %w", err))
	}
	return nil
}

func (o inspectOptions) writeTree(obs *observe.Observation, outputs []generate.Output) error {
	files, err := tree.Layout(outputs, o.explain)
	if err != nil {
		return failureError(err)
	}
	scope := tree.Scope{
		Namespaces: obs.Scope.Namespaces,
		Excluded:   obs.Scope.ExcludedNamespaces,
		// What a selector excludes was not observed, nor what another source shows.
		Keep: len(obs.Gaps) > 0 || len(obs.Skipped) > 0 || obs.Scope.Partial(),
	}
	plan, err := tree.NewPlan(o.outputDir, files, scope)
	if err != nil {
		return failureError(err)
	}
	partial := scope.Keep || o.level == aggregate.ByCluster && len(scope.Namespaces)+len(scope.Excluded) > 0
	if partial && !plan.Empty() {
		if err := tell(o.streams.Err, fmt.Sprintf("%s: made from a part of what there is: a policy that changes may refuse pods that were not looked at", o.outputDir)); err != nil {
			return err
		}
	}
	if n := plan.Kept(); n > 0 {
		if err := tell(o.streams.Err, fmt.Sprintf("%s: %s kept, of workloads that were not looked at or are gone", o.outputDir, report.Count(n, "file"))); err != nil {
			return err
		}
	}
	if o.check {
		if plan.Empty() {
			return nil
		}
		if err := writeOut(o.streams.Out, plan.Diff()); err != nil {
			return err
		}
		return codedError{exitDrift, fmt.Errorf("%s is not up to date, %s: run the same command without --check", o.outputDir, countChanges(plan, "to change", "to remove"))}
	}
	if err := plan.Apply(); err != nil {
		return failureError(err)
	}
	return tell(o.streams.Err, o.outputDir+": "+countChanges(plan, "changed", "removed"))
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
