package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/image"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/psp-advisor/psp-advisor/pkg/report/html"
	"github.com/psp-advisor/psp-advisor/pkg/tree"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// The formats of findings alone: a page for a browser, and reports of openreports.io.
const (
	formatHTML        = "html"
	formatOpenReports = "openreports"
)

// findingFormats are what --output of report may be.
var findingFormats = []string{formatTable, formatWide, formatJSON, formatYAML, formatMarkdown, formatSARIF, formatOpenReports, formatHTML}

// failOnNothing is the value of --fail-on of report for no severity.
const failOnNothing = "never"

const reportExample = `  # What is wrong with the pods of one namespace, the worst first
  advisor report --namespace shop

  # Of manifests, with the fields to change
  advisor report -f deployment.yaml --output wide

  # As a page for a browser, which is one file
  advisor report -f deployment.yaml --output html > report.html

  # Who needs a privilege, down to the container and field
  advisor report -f deployment.yaml --why cap:NET_ADMIN

  # What is wrong with an image before there is one
  advisor report -f Dockerfile

  # A gate: exit 1 if something is as bad as high
  advisor report -f deployment.yaml --fail-on high

  # What mends the findings, as components of kustomize
  advisor report -f deployment.yaml --remedies remedies`

// reportFlags are the flags of report.
type reportFlags struct {
	scopeFlags
	manifestFlags
	imageFlags
	files         []string
	recursive     bool
	output        string
	outputFile    string
	failOn        string
	why           string
	remedies      string
	serverVersion string
}

// reportOptions are the validated options of report.
type reportOptions struct {
	files     []string // none, and no kustomization: a cluster
	scope     observe.Scope
	reading   manifest.Options
	manifests *manifestFlags
	// minor version of Kubernetes that pods are judged for; 0 is the server's, or the
	// newest.
	minor int
	// images reads images; nil: none are read.
	images *image.Reader
	// why is the line that the report is about; empty: about all.
	why string
	// failOn is the least severity that exits with 1; empty: none.
	failOn privilege.Severity
	// flags say how to reach a cluster, and what is printed.
	flags *reportFlags
}

func newReportCommand(env environment) *cobra.Command {
	f := &reportFlags{scopeFlags: scopeFlags{connectionFlags: newConnectionFlags(env)}}
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Print what is wrong with pods, and what mends it",
		Long: `report finds what the pods of a cluster, or those that manifests create, are allowed without need:
each finding is graded by what it opens, and has a remedy: the fields to change in the manifest of
the workload. A remedy is safe by construction (what it takes away is not in effect), likely safe
(few programs need it), or may break the workload: test it. The report has the Pod Security level of
each namespace, and what holds it back.

With --why it answers who needs a privilege: hostNetwork, cap:NET_ADMIN, hostPath:/var/run,
hostPort:80, volume:secret, sysctl:NAME, or a line as in policies, such as "no seccomp profile".

With --image-config it reads what images are configured to: whether they run as root, so that
runAsNonRoot can be recommended as safe, and what else the CIS Docker Benchmark asks. Credentials
are those of docker and podman. A file named Dockerfile or Containerfile is judged by the same
rules.

With --remedies it also writes the patches of all workloads into a directory, as components of
kustomize: safe, likely (with those that are safe), and all. Nothing in the cluster is changed.`,
		Example: reportExample,
		Annotations: exitCodes(
			"0  done",
			"1  there is a finding as bad as --fail-on, or worse",
			"2  wrong flags, or input that cannot be read: nothing was printed",
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
	f.scopeFlags.addTo(cmd)
	f.manifestFlags.addTo(cmd, env)
	f.imageFlags.addTo(cmd, env)
	flags := cmd.Flags()
	flags.StringSliceVarP(&f.files, "filename", "f", nil, "manifest file, directory, URL, - for standard input, or Dockerfile, instead of a cluster; repeatable")
	flags.BoolVarP(&f.recursive, "recursive", "R", false, "read subdirectories too")
	flags.StringVarP(&f.output, "output", "o", formatTable, "what is printed: "+orList(findingFormats))
	flags.StringVar(&f.outputFile, "output-file", "", "write to a file instead of standard output, atomically; *.gz is compressed")
	flags.StringVar(&f.failOn, "fail-on", failOnNothing, "least severity that exits with 1: "+orList(failOnSeverities()))
	flags.StringVar(&f.why, "why", "", "report only who needs a privilege, such as hostNetwork, cap:NET_ADMIN or hostPath:/var/run")
	flags.StringVar(&f.remedies, "remedies", "", "write what mends the findings into a directory, as components of kustomize")
	flags.StringVar(&f.serverVersion, "server-version", "", "version of Kubernetes by whose Pod Security pods are judged, such as 1.30 (default the server's, or the newest)")
	env.completeFiles(cmd, "filename", "yaml", "yml", "json")
	env.completeDirectories(cmd, "remedies")
	env.completeWords(cmd, "output", findingFormats...)
	env.completeWords(cmd, "fail-on", failOnSeverities()...)
	env.completeWords(cmd, "server-version", serverVersions()...)
	return cmd
}

// failOnSeverities are the values of --fail-on, the worst first.
func failOnSeverities() []string {
	var words []string
	for _, s := range slices.Backward(privilege.Severities()) {
		words = append(words, string(s))
	}
	return append(words, failOnNothing)
}

func (f *reportFlags) options(given *pflag.FlagSet) (reportOptions, error) {
	errs := []error{
		checkWord("output", f.output, findingFormats), checkWord("fail-on", f.failOn, failOnSeverities()),
		f.check(given, f.files),
	}
	if f.recursive && len(f.files) == 0 {
		errs = append(errs, errors.New("--recursive: requires --filename"))
	}
	if f.skipInvalid && len(f.files)+len(f.kustomizations) == 0 {
		errs = append(errs, errors.New("--skip-invalid: requires --filename or --kustomize"))
	}
	o := reportOptions{files: f.files, manifests: &f.manifestFlags, flags: f}
	if given.Changed("why") {
		line, err := report.ParseWhy(f.why)
		if err != nil {
			errs = append(errs, fmt.Errorf("--why: %w", err))
		}
		o.why = line
		if f.remedies != "" {
			errs = append(errs, errors.New("--why: cannot be combined with --remedies, which removes the patches of findings that are not reported"))
		}
	}
	if f.failOn != failOnNothing {
		o.failOn = privilege.Severity(f.failOn)
	}
	var unreadable, unscoped, unversioned, unreachable error
	o.images, unreachable = f.reader(given)
	o.reading, unreadable = f.reading()
	o.scope, unscoped = f.scope(given)
	o.minor, unversioned = parseServerVersion(f.serverVersion)
	if err := errors.Join(append(errs, unreadable, unscoped, unversioned, unreachable)...); err != nil {
		return reportOptions{}, usageError(err)
	}
	o.reading.Recursive, o.reading.Kustomizations, o.reading.In = f.recursive, f.kustomizations, f.In
	return o, nil
}

func (o reportOptions) run(ctx context.Context) error {
	dockerfiles, manifests, err := readDockerfiles(o.files)
	if err != nil {
		return usageError(err)
	}
	obs, minor, err := o.observe(ctx, manifests)
	if err != nil {
		return err
	}
	if err := printLines(o.flags.Err, o.notes(obs, len(dockerfiles) > 0 && len(manifests)+len(o.manifests.kustomizations) == 0)); err != nil {
		return err
	}
	if err := o.manifests.checkUnread(obs.Unread); err != nil {
		return err
	}
	if len(obs.Skipped) > 0 && len(obs.Members) == 0 {
		return usageError(errors.New("no document could be read: fix the documents reported above"))
	}
	images, unread := readImages(ctx, o.images, obs)
	found := report.Findings(obs, images, minor)
	for _, name := range slices.Sorted(maps.Keys(unread)) {
		found.Gaps = append(found.Gaps, "image "+name)
		if err := printErr(o.flags.Err, "not observed: "+unread[name].Error()); err != nil {
			return err
		}
	}
	for _, d := range dockerfiles {
		found = found.WithDockerfile(d.name, d.results)
	}
	if o.why != "" {
		found = found.About(o.why)
	}
	if len(dockerfiles) > 0 && (o.why != "" || o.flags.output == formatOpenReports) {
		if err := printErr(o.flags.Err, "warning: images are left out: they are no workloads"); err != nil {
			return err
		}
	}
	plans, err := o.planRemedies(obs, found)
	if err != nil {
		return err
	}
	data, err := encodeFindings(o.flags.output, found, o.colored())
	if err != nil {
		return failureError(err)
	}
	if err := writeTo(o.flags.Out, o.flags.outputFile, bytes.NewReader(data)); err != nil {
		return err
	}
	for _, p := range plans {
		if err := p.Apply(); err != nil {
			return failureError(err)
		}
		if err := printErr(o.flags.Err, p.dir+": "+countChanges(p.Plan, "changed", "removed")); err != nil {
			return err
		}
	}
	return o.verdict(found)
}

// verdict returns the error that decides the exit code.
func (o reportOptions) verdict(found report.FindingReport) error {
	if len(found.Gaps) > 0 && !o.flags.allowPartial {
		return failureError(fmt.Errorf("%s in what was observed, see above: the report lacks what is wrong there: see to it that they can be read, or set --allow-partial", report.Count(len(found.Gaps), "gap")))
	}
	if worst := found.Counts.Worst(); o.failOn != "" && worst != "" && worst.Compare(o.failOn) >= 0 {
		return codedError{exitDrift, fmt.Errorf("--fail-on %s: the worst finding is %s", o.failOn, worst)}
	}
	return nil
}

// observe returns what was observed, and the minor version that pods are judged for.
func (o reportOptions) observe(ctx context.Context, manifests []string) (*observe.Observation, int, error) {
	if len(o.files)+len(o.manifests.kustomizations) > 0 {
		obs, err := manifest.Read(ctx, manifests, o.reading, o.scope)
		if err != nil {
			return nil, 0, readError(err)
		}
		return obs, o.minor, nil
	}
	config, err := connectUnlessFiles(o.flags.restConfig)
	if err != nil {
		return nil, 0, err
	}
	seen, err := listCluster(ctx, config, o.scope, o.flags.Err)
	if err != nil {
		return nil, 0, err
	}
	minor := o.minor
	if minor == 0 {
		if _, _, minor, err = askVersion(ctx, config); err != nil {
			err = printErr(o.flags.Err, fmt.Sprintf("warning: %v: pods are judged by Pod Security of 1.%d", err, newestMinor))
		}
	}
	return seen.Observe(), minor, err
}

// notes returns what to know about what was observed, a line each.
func (o reportOptions) notes(obs *observe.Observation, dockerfilesOnly bool) []string {
	var lines []string
	for _, s := range obs.Skipped {
		lines = append(lines, "skipped: "+s.Error())
	}
	lines = append(lines, o.manifests.notes(obs)...)
	if n := obs.Elsewhere; n > 0 {
		lines = append(lines, report.Count(n, "object")+" skipped: "+byCount(n, "its namespace is not inspected", "their namespaces are not inspected"))
	}
	for _, g := range obs.Gaps {
		lines = append(lines, "not observed: "+g.String())
	}
	if dockerfilesOnly {
		return lines
	}
	return append(lines, fmt.Sprintf("%s and %s in %s (%s inspected)", report.Count(obs.Pods(), "pod"), report.Count(obs.Templates(), "template"),
		report.Count(len(obs.Namespaces()), "namespace"), printable.Text(report.Inspected(obs.Scope))))
}

// colored reports whether a table has colors: on a terminal, unless NO_COLOR is set
// (no-color.org).
func (o reportOptions) colored() bool {
	f, ok := o.flags.Out.(*os.File)
	return ok && o.flags.outputFile == "" && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
}

// encodeFindings returns findings in a format of findingFormats.
func encodeFindings(format string, found report.FindingReport, color bool) ([]byte, error) {
	switch format {
	case formatWide:
		return table(found.Rows())
	case formatJSON, formatFindings:
		return found.JSON()
	case formatYAML:
		return found.YAML()
	case formatMarkdown:
		return found.Markdown(), nil
	case formatSARIF:
		return found.SARIF()
	case formatOpenReports:
		return found.OpenReports()
	case formatHTML:
		return html.Page(found)
	default:
		return found.Table(color), nil
	}
}

// remedyDirs are the directories of --remedies, each with remedies of a confidence and
// all surer ones.
var remedyDirs = []struct {
	name  string
	least finding.Confidence
}{{"safe", finding.Safe}, {"likely", finding.Likely}, {"all", finding.Test}}

// planRemedies returns what to write into the directory for remedies, if there is one.
// Nothing is written before everything is planned.
func (o reportOptions) planRemedies(obs *observe.Observation, found report.FindingReport) ([]plannedTree, error) {
	if o.flags.remedies == "" {
		return nil, nil
	}
	scope := tree.Scope{
		Namespaces: obs.Scope.Namespaces, Excluded: obs.Scope.ExcludedNamespaces, Patches: true,
		Keep: len(obs.Gaps) > 0 || len(obs.Skipped) > 0 || obs.Scope.Partial(),
	}
	var plans []plannedTree
	unnamed := 0
	for _, d := range remedyDirs {
		files, skipped, err := found.Patches(d.least)
		if err != nil {
			return nil, failureError(err)
		}
		dir := filepath.Join(o.flags.remedies, d.name)
		plan, err := tree.NewPlan(dir, tree.Marked(files), scope)
		if err != nil {
			return nil, failureError(err)
		}
		plans, unnamed = append(plans, plannedTree{plan, dir}), skipped
	}
	if unnamed == 0 {
		return plans, nil
	}
	return plans, printErr(o.flags.Err, fmt.Sprintf("warning: %s: %s: no patch was written for %s", o.flags.remedies,
		report.Count(unnamed, "workload")+" without a name that a patch can have", byCount(unnamed, "it", "them")))
}
