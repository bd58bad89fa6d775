package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
)

const inspectExample = `  # The policies of one namespace of the current cluster
  advisor inspect --namespace shop

  # Of manifests, with no cluster
  advisor inspect -f deployment.yaml

  # One policy per namespace, applied at once
  advisor inspect --level namespace | kubectl apply --server-side --field-manager=psp-advisor -f -

  # A directory to commit, and a check that it is up to date
  advisor inspect --output-dir policies
  advisor inspect --output-dir policies --check

  # What PodSecurityPolicies that you wrote admit, change and refuse, and what they permit in vain
  advisor inspect -f deployment.yaml --within written.yaml`

// maxSourceName is how long the name of what is observed may be: as long as a name
// of Kubernetes.
const maxSourceName = 253

// inspectFlags are the flags of inspect.
type inspectFlags struct {
	*observeFlags
	manifestFlags
	files      []string
	recursive  bool
	output     string
	outputFile string
	sourceName string
	explain    bool
	outputDir  string
	check      bool
	within     []string
}

// inspectOptions are the validated options of inspect.
type inspectOptions struct {
	scope     observe.Scope
	level     aggregate.Level
	files     []string // none, and no kustomization: a cluster
	recursive bool
	manifests *manifestFlags
	// reading is how manifests are read.
	reading manifest.Options
	// restConfig gives the connection; it is called only without files.
	restConfig   func() (*rest.Config, error)
	allowPartial bool
	// output is one of formats.
	output string
	// outputFile is written instead of standard output; empty: standard output.
	outputFile string
	// sourceName is the name that the observation gets.
	sourceName string
	explain    bool
	outputDir  string
	check      bool
	// within are files of policies that the needs are compared with; none: policies
	// are generated.
	within  []string
	streams Streams
	engines engineChoice
}

func newInspectCommand(env environment) *cobra.Command {
	f := &inspectFlags{observeFlags: newObserveFlags(env)}
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Print or write the policies of the pods seen now",
		Long: `inspect observes the pods of a cluster once, or those that manifests create: running pods, and the
pods that templates will create. It generates the tightest policies that admit them unchanged, and
the objects that put these into effect. Policies go to standard output or into a directory; the
summary, gaps and warnings go to standard error. Nothing in the cluster is changed.

With --within it generates nothing: it compares the pods with PodSecurityPolicies that you wrote,
as the admission code of Kubernetes 1.24 does. RBAC in the same files says who may use each of
them; a policy without any is compared with all pods. The report has, for each policy, the workloads
that it admits unchanged (fits), changes and refuses, the needs that exceed it, and what is tighter
in what the admitted workloads need.

` + limits(env.engines),
		Example: inspectExample,
		Annotations: exitCodes(
			"0  done",
			"1  --check found a difference, or --within a need that exceeds every policy it may use",
			"2  wrong flags, or input that cannot be read: no policy was printed",
			"3  the server or the file system failed, or something cannot be observed",
		),
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options(cmd.Flags())
			if err != nil {
				return err
			}
			ctx, cancel := f.deadline(cmd.Context())
			defer cancel()
			defer collectLater()()
			return o.run(ctx)
		},
	}
	f.observeFlags.addTo(cmd)
	f.manifestFlags.addTo(cmd, env)
	flags := cmd.Flags()
	flags.StringSliceVarP(&f.files, "filename", "f", nil, "manifest file, directory, URL or - for standard input, instead of a cluster; repeatable")
	flags.BoolVarP(&f.recursive, "recursive", "R", false, "read subdirectories too")
	flags.StringVarP(&f.output, "output", "o", formatYAML, "what is printed: policies as yaml, json or name; a table of workloads: wide; or what was observed: observation")
	flags.StringVar(&f.outputFile, "output-file", "", "write to a file instead of standard output, atomically; *.gz is compressed")
	flags.StringVar(&f.sourceName, "source-name", "", "name of what is observed, such as that of the cluster; part of -o observation")
	flags.BoolVar(&f.explain, "explain", true, "add comments that name the workloads that need each permission")
	flags.StringVar(&f.outputDir, "output-dir", "", "write one file per policy into a directory, for Git")
	flags.BoolVar(&f.check, "check", false, "with --output-dir: write nothing, print a diff, exit 1 if there is one")
	flags.StringSliceVar(&f.within, "within", nil, "compare the pods with the PodSecurityPolicies of a file, directory or URL, and print no policies; repeatable")
	env.completeFiles(cmd, "filename", "yaml", "yml", "json")
	env.completeFiles(cmd, "within", "yaml", "yml", "json")
	env.completeDirectories(cmd, "output-dir")
	env.completeWords(cmd, "output", formats...)
	return cmd
}

func (f *inspectFlags) options(given *pflag.FlagSet) (inspectOptions, error) {
	var errs []error
	if !slices.Contains(formats, f.output) {
		errs = append(errs, fmt.Errorf("--output: unknown format %q: want %s", f.output, orList(formats)))
	}
	if f.outputFile != "" && f.outputDir != "" {
		errs = append(errs, errors.New("--output-file: cannot be combined with --output-dir"))
	}
	if printable.Short(f.sourceName, maxSourceName) != f.sourceName {
		errs = append(errs, fmt.Errorf("--source-name: want at most %d printable characters", maxSourceName))
	}
	if f.check && f.outputDir == "" {
		errs = append(errs, errors.New("--check: requires --output-dir"))
	}
	if f.outputDir != "" && f.output != formatYAML {
		errs = append(errs, fmt.Errorf("--output: %s cannot be combined with --output-dir, which writes YAML", f.output))
	}
	if f.recursive && len(f.files)+len(f.within) == 0 {
		errs = append(errs, errors.New("--recursive: requires --filename or --within"))
	}
	if len(f.within) > 0 {
		errs = append(errs, f.checkWithin(given))
		f.engine.names = []string{withinEngine}
	}
	if f.skipInvalid && len(f.files)+len(f.kustomizations) == 0 {
		errs = append(errs, errors.New("--skip-invalid: requires --filename or --kustomize"))
	}
	reading, wrong := f.reading()
	errs = append(errs, wrong, f.manifestFlags.check(given, f.files))
	scope, level, err := f.scope(given)
	engines, unknown := f.engine.choice(f.environment, given)
	if err := errors.Join(append(errs, err, unknown)...); err != nil {
		return inspectOptions{}, usageError(err)
	}
	return inspectOptions{
		scope: scope, level: level, files: f.files, recursive: f.recursive, manifests: &f.manifestFlags, reading: reading,
		restConfig: f.restConfig, allowPartial: f.allowPartial,
		output: f.output, outputFile: f.outputFile, sourceName: f.sourceName,
		explain: f.explain, outputDir: f.outputDir, check: f.check, within: f.within,
		streams: f.Streams, engines: engines,
	}, nil
}

func (o inspectOptions) run(ctx context.Context) error {
	var written *psp.Written
	if len(o.within) > 0 {
		var err error
		if written, err = o.readWithin(ctx); err != nil {
			return err
		}
	}
	found, err := o.inspect(ctx, written)
	if err != nil {
		return err
	}
	obs := found.obs
	if err := o.printSummary(obs, found.report); err != nil {
		return err
	}
	if err := o.manifests.checkUnread(obs.Unread); err != nil {
		return err
	}
	if len(obs.Gaps) > 0 && !o.allowPartial {
		return failureError(fmt.Errorf("%s in what was observed, see above: the policies could deny pods that are missing: grant the permissions, or set --allow-partial", report.Count(len(obs.Gaps), "gap")))
	}
	if len(obs.Gaps) > 0 && found.report.Empty() {
		return failureError(errors.New("no pod or template could be observed: grant the permissions that are missing above"))
	}
	if found.report.Has(report.RuleUnknownVolume) && !o.allowPartial {
		return failureError(errors.New("there are volumes that this version does not know, see above: the policies deny their pods: use a version that knows them, or set --allow-partial"))
	}
	if len(obs.Skipped) > 0 && found.report.Empty() {
		return usageError(errors.New("no document could be read: fix the documents reported above"))
	}
	return found.write()
}

// inspected is what was observed, and what is made of it.
type inspected struct {
	// obs may be without its members.
	obs    *observe.Observation
	report report.Report
	// write writes what was asked for to where it was asked for.
	write func() error
}

// inspect observes, and compares what was observed with the written policies; if these are
// nil, it generates policies.
func (o inspectOptions) inspect(ctx context.Context, written *psp.Written) (inspected, error) {
	if o.eachNamespace() {
		config, err := connectUnlessFiles(o.restConfig)
		if err != nil {
			return inspected{}, err
		}
		if !o.engines.needsServer() {
			// A server that does not say what it is makes a difference for the notes alone.
			return o.inspectEach(ctx, config, o.engines.withoutServer("").build(), func() ([]string, error) {
				_, notes, err := enginesFor(ctx, config, o.engines)
				return notes, err
			})
		}
		chosen, err := o.engines.forServer(ctx, config)
		switch {
		case err == nil:
			engines := chosen.build()
			return o.inspectEach(ctx, config, engines, func() ([]string, error) {
				return append(chosen.notes, serverNotes(ctx, config, engines)...), nil
			})
		case ctx.Err() != nil:
			return inspected{}, errChoosing(err)
		}
		// It is asked again when the cluster has been listed.
	}
	obs, engines, err := o.observe(ctx)
	if err != nil {
		return inspected{}, err
	}
	if o.sourceName != "" {
		obs.Source = o.sourceName
	}
	if written != nil {
		r := report.New(obs, o.level, nil)
		r.Policies = written.Len()
		return inspected{obs, r, func() error { return o.compareWithin(obs, written) }}, nil
	}
	results := generate.Run(engines, obs.Members, o.level)
	return inspected{obs, report.New(obs, o.level, results), func() error {
		if o.outputDir != "" {
			return o.writeTrees(obs, results)
		}
		return o.print(obs, results)
	}}, nil
}

// fromFiles reports whether manifests are inspected, and not a cluster.
func (o inspectOptions) fromFiles() bool { return len(o.files)+len(o.manifests.kustomizations) > 0 }

// eachNamespace reports whether what is written of one namespace of a cluster has nothing to
// do with the others.
func (o inspectOptions) eachNamespace() bool {
	return !o.fromFiles() && len(o.within) == 0 && o.output == formatYAML && o.outputDir == "" && o.level != aggregate.ByCluster
}

// observe returns what was observed, and the engines for it.
func (o inspectOptions) observe(ctx context.Context) (*observe.Observation, []generate.Engine, error) {
	if o.fromFiles() {
		obs, err := o.read(ctx)
		if err != nil {
			return nil, nil, err
		}
		chosen := o.engines.forManifests()
		return obs, chosen.build(), printLines(o.streams.Err, chosen.notes)
	}
	config, err := connectUnlessFiles(o.restConfig)
	if err != nil {
		return nil, nil, err
	}
	return observeCluster(ctx, config, o.scope, o.engines, o.streams.Err)
}

// printSummary writes the summary and what was skipped to standard error.
func (o inspectOptions) printSummary(obs *observe.Observation, r report.Report) error {
	var lines []string
	for _, err := range obs.Skipped {
		lines = append(lines, "skipped: "+err.Error())
	}
	if n := len(obs.Skipped); n > 0 {
		lines = append(lines, report.Count(n, "document")+" skipped: the policies do not cover "+byCount(n, "its pods", "their pods"))
	}
	lines = append(lines, o.manifests.notes(obs)...)
	if n := obs.Elsewhere; n > 0 {
		lines = append(lines, report.Count(n, "object")+" skipped: "+byCount(n, "its namespace is not inspected", "their namespaces are not inspected"))
	}
	var summary strings.Builder
	if err := r.Summary(&summary); err != nil {
		return failureError(err)
	}
	lines = slices.AppendSeq(lines, strings.Lines(summary.String()))
	return printLines(o.streams.Err, lines)
}

func (o inspectOptions) print(obs *observe.Observation, results []generate.Result) error {
	data, err := o.encode(obs, results)
	if err != nil {
		return failureError(err)
	}
	return o.write(bytes.NewReader(data))
}

// write writes what was asked for to where it was asked for.
func (o inspectOptions) write(content io.WriterTo) error {
	return writeTo(o.streams.Out, o.outputFile, content)
}
