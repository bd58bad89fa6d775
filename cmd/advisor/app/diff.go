package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/diff"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// clusterSide is the argument of diff for the cluster of the current context; with a
// colon, the name of another context follows.
const clusterSide = "cluster"

// The formats for other tools: comments on change requests, and code scanning.
const (
	formatMarkdown = "markdown"
	formatSARIF    = "sarif"
)

// diffFormats are what --output of diff may be.
var diffFormats = []string{formatTable, formatJSON, formatMarkdown, formatSARIF}

// The differences that --fail-on names.
const (
	failOnAny        = "any"
	failOnEscalation = "escalation"
	failOnCritical   = "critical"
	failOnNever      = "never"
)

var failOnValues = []string{failOnAny, failOnEscalation, failOnCritical, failOnNever}

const diffExample = `  # What a change of manifests asks for beyond what they ask for now
  advisor diff deployment.yaml changed.yaml

  # Whether the cluster runs more than what is in Git, as a comment in Markdown
  advisor diff deployment.yaml cluster --output markdown --fail-on never

  # Whether manifests ask for more than what committed policies permit
  advisor inspect -f deployment.yaml --engine vap --output-dir policies
  advisor diff --against policies changed.yaml`

// diffFlags are the flags of diff.
type diffFlags struct {
	scopeFlags
	manifestFlags
	output     string
	outputFile string
	failOn     string
	against    []string
}

// diffOptions are the validated options of diff.
type diffOptions struct {
	// base is empty if the head is compared with policies.
	base, head string
	scope      observe.Scope
	// reading is how manifests are read.
	reading manifest.Options
	// flags say how to reach a cluster, and what is printed.
	flags *diffFlags
}

func newDiffCommand(env environment) *cobra.Command {
	f := &diffFlags{scopeFlags: scopeFlags{connectionFlags: newConnectionFlags(env)}}
	cmd := &cobra.Command{
		Use:   "diff (BASE | --against POLICIES) HEAD",
		Short: "Print what pods ask for beyond what others ask for",
		Long: `diff compares the privileges that the pods of two sides ask for. A side is a manifest file, a
directory of them with its subdirectories, where kustomizations are rendered, a URL, an observation,
- for standard input, or a cluster: cluster for that of the current context, cluster:CONTEXT for
another one. A file of that name is ./cluster.

Workloads and containers are the same if their names are: another image makes no difference. A
workload escalates if it asks for more than it did; a new one, if it asks for more than all
workloads of its namespace did together. Each privilege is graded by what it opens. The output marks
escalations with +, what is no longer asked for with -, and what only moves between the containers
of a workload with ~.

With --against, the base is what committed policies permit, those of each engine: what a
PodSecurityPolicy permits that RBAC beside it lets the service account use, what the Pod Security
level of a namespace admits, or the permits of the other engines. What an engine does not restrict
is permitted; what a policy would set in a pod that leaves it unset is not. inspect --within says
which fields of PodSecurityPolicies are wider than needed.

` + limits(env.engines),
		Example: diffExample,
		Annotations: exitCodes(
			"0  nothing that --fail-on names",
			"1  an escalation, or what --fail-on names",
			"2  wrong flags, or input that cannot be read: nothing was compared",
			"3  the server or the file system failed, or something cannot be observed",
		),
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(f.against) > 0 && len(args) != 1:
				return fmt.Errorf("got %s beside --against, want 1: the head", report.Count(len(args), "argument"))
			case len(f.against) == 0 && len(args) != 2:
				return fmt.Errorf("got %s, want 2: the base and the head", report.Count(len(args), "argument"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options(cmd.Flags(), args)
			if err != nil {
				return err
			}
			ctx, cancel := f.deadline(cmd.Context())
			defer cancel()
			defer collectLater()()
			return o.run(ctx)
		},
	}
	f.scopeFlags.addTo(cmd)
	flags := cmd.Flags()
	f.addReading(cmd, env)
	flags.StringVarP(&f.output, "output", "o", formatTable, "what is printed: "+orList(diffFormats))
	flags.StringVar(&f.outputFile, "output-file", "", "write to a file instead of standard output, atomically; *.gz is compressed")
	flags.StringVar(&f.failOn, "fail-on", failOnEscalation, "differences that exit with 1: "+orList(failOnValues))
	flags.StringSliceVar(&f.against, "against", nil, "policies that are the base, instead of BASE: a file, directory or URL; repeatable")
	env.completeFiles(cmd, "against", "yaml", "yml", "json")
	env.completeWords(cmd, "output", diffFormats...)
	env.completeWords(cmd, "fail-on", failOnValues...)
	return cmd
}

func (f *diffFlags) options(given *pflag.FlagSet, sides []string) (diffOptions, error) {
	var errs []error
	if !slices.Contains(diffFormats, f.output) {
		errs = append(errs, fmt.Errorf("--output: unknown format %q: want %s", f.output, orList(diffFormats)))
	}
	if !slices.Contains(failOnValues, f.failOn) {
		errs = append(errs, fmt.Errorf("--fail-on: unknown value %q: want %s", f.failOn, orList(failOnValues)))
	}
	if slices.Contains(sides, "") {
		errs = append(errs, errors.New("an argument is empty: want the name of a side"))
	}
	stdin := 0
	for _, side := range slices.Concat(sides, f.against) {
		if side == manifest.Stdin {
			stdin++
		}
	}
	if stdin > 1 {
		errs = append(errs, errors.New("standard input is the base and the head: want - once"))
	}
	reading, wrong := f.reading()
	reading.Recursive, reading.Render, reading.In = true, true, f.In
	scope, err := f.scope(given)
	if err := errors.Join(append(errs, wrong, err)...); err != nil {
		return diffOptions{}, usageError(err)
	}
	o := diffOptions{head: sides[len(sides)-1], scope: scope, reading: reading, flags: f}
	if len(sides) > 1 {
		o.base = sides[0]
	}
	return o, nil
}

func (o diffOptions) run(ctx context.Context) error {
	changes, err := o.changes(ctx)
	if err != nil {
		return err
	}
	count := diff.CountOf(changes)
	if err := o.print(changes); err != nil {
		return err
	}
	if err := printErr(o.flags.Err, count.String()); err != nil {
		return err
	}
	failed := map[string]bool{
		failOnAny: len(changes) > 0, failOnEscalation: count.Escalated > 0, failOnCritical: count.Critical > 0,
	}
	if failed[o.flags.failOn] {
		return codedError{exitDrift, fmt.Errorf("--fail-on %s: the head differs from the base, see above", o.flags.failOn)}
	}
	return nil
}

// changes compares the sides.
func (o diffOptions) changes(ctx context.Context) ([]diff.Change, error) {
	if o.base == "" {
		permits, err := o.readPermits(ctx)
		if err != nil {
			return nil, err
		}
		head, err := o.read(ctx, "head", o.head)
		if err != nil {
			return nil, err
		}
		return diff.Against(permits, head), o.check("head", head)
	}
	base, err := o.read(ctx, "base", o.base)
	if err != nil {
		return nil, err
	}
	head, err := o.read(ctx, "head", o.head)
	if err != nil {
		return nil, err
	}
	return diff.Compare(base, head), errors.Join(o.check("base", base), o.check("head", head))
}

// check says on standard error what could not be read of a side. It is an error if
// nothing may be compared with the rest.
func (o diffOptions) check(name string, obs *observe.Observation) error {
	lines := o.flags.notes(obs)
	for _, g := range obs.Gaps {
		lines = append(lines, "not observed: "+g.String())
	}
	for _, s := range obs.Skipped {
		lines = append(lines, "skipped: "+s.String())
	}
	lines = append(lines, fmt.Sprintf("%s and %s", report.Count(obs.Pods(), "pod"), report.Count(obs.Templates(), "template")))
	for i, line := range lines {
		lines[i] = name + ": " + line
	}
	if err := printLines(o.flags.Err, lines); err != nil {
		return err
	}
	if err := o.flags.checkUnread(obs.Unread); err != nil {
		return err
	}
	if len(obs.Gaps) > 0 && !o.flags.allowPartial {
		return failureError(fmt.Errorf("%s in the %s, see above: grant the permissions, or set --allow-partial", report.Count(len(obs.Gaps), "gap"), name))
	}
	if obs.UnknownVolumes() && !o.flags.allowPartial {
		return failureError(fmt.Errorf("there are volumes in the %s that this version does not know: use a version that knows them, or set --allow-partial", name))
	}
	return nil
}

// read reads one side.
func (o diffOptions) read(ctx context.Context, name, side string) (*observe.Observation, error) {
	kubeContext, ofContext := strings.CutPrefix(side, clusterSide+":")
	if side != clusterSide && !ofContext {
		obs, err := manifest.Read(ctx, []string{side}, o.reading, o.scope)
		if err != nil {
			return nil, readError(fmt.Errorf("%s: %w", name, err))
		}
		return obs, nil
	}
	if ofContext {
		current := *o.flags.Context
		defer func() { *o.flags.Context = current }()
		*o.flags.Context = kubeContext
	}
	config, err := o.flags.restConfig()
	if err != nil {
		return nil, failureError(fmt.Errorf("%s: connecting to %s: %w", name, side, err))
	}
	seen, err := listCluster(ctx, config, o.scope, o.flags.Err)
	if err != nil {
		return nil, err
	}
	return seen.Observe(), nil
}

func (o diffOptions) print(changes []diff.Change) error {
	var data []byte
	var err error
	switch o.flags.output {
	case formatJSON:
		base := o.base
		if base == "" {
			base = strings.Join(o.flags.against, ",")
		}
		data, err = diff.JSON(printable.Text(base), printable.Text(o.head), changes)
	case formatMarkdown:
		data = diff.Markdown(changes)
	case formatSARIF:
		data, err = diff.SARIF(changes)
	default:
		data = diff.Text(changes)
	}
	if err != nil {
		return failureError(err)
	}
	return writeTo(o.flags.Out, o.flags.outputFile, bytes.NewReader(data))
}
