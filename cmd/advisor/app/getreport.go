package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
)

// defaultReportNamespace is where the shipped manifests have the reports.
const defaultReportNamespace = "psp-advisor"

// The formats of get-report beside those of policies.
const (
	formatTable   = "table"
	formatIndex   = "index"
	formatSummary = "summary"
	formatReport  = "report"
	// formatFindings is the document of findings.
	formatFindings = "findings"
)

// indexFormats, policyFormats and findingsOfReports are what --output of get-report may
// be: about all reports, about one, or about the findings of one or of all.
var (
	indexFormats      = []string{formatTable, formatIndex}
	policyFormats     = []string{formatYAML, formatJSON, formatName, formatSummary, formatReport, formatObservation}
	findingsOfReports = []string{formatWide, formatFindings, formatMarkdown, formatSARIF, formatOpenReports, formatHTML}
	// outputsOfReports are all of them.
	outputsOfReports = slices.Concat(policyFormats, findingsOfReports, indexFormats)
)

const getReportExample = `  # All reports, and whether they are current
  advisor get-report

  # The policies of one namespace, applied at once
  advisor get-report --namespace shop | kubectl apply --server-side --field-manager=psp-advisor -f -

  # What is wrong there, the worst first; all of it for code scanning, and as a page
  advisor get-report --namespace shop --output table
  advisor get-report --output sarif
  advisor get-report --output html > report.html

  # What was observed there
  advisor get-report --namespace shop --output observation`

// getReportFlags are the flags of get-report.
type getReportFlags struct {
	*connectionFlags
	namespace       string
	reportNamespace string
	engineNames     []string
	output          string
}

// getReportOptions are the validated options of get-report.
type getReportOptions struct {
	restConfig      func() (*rest.Config, error)
	reportNamespace string
	// namespace whose report is printed; empty: the index, or the report of a whole
	// cluster.
	namespace string
	// engines that were asked for; none: those of the report.
	engineNames []string
	// table of all engines.
	table []engine
	// output is one of outputsOfReports; empty: the policies of one report, or a table of
	// all.
	output  string
	streams Streams
}

func newGetReportCommand(env environment) *cobra.Command {
	f := &getReportFlags{connectionFlags: newConnectionFlags(env)}
	cmd := &cobra.Command{
		Use:   "get-report",
		Short: "Print what publish or controller has published",
		Long: `get-report reads the reports that publish and controller keep in ConfigMaps. With --namespace, it
prints the policies of that namespace, or the report in another format: table is what is wrong
there. Without, it prints a table of all reports, or the findings of all in another format. At level
cluster there is one report, and --namespace is omitted.

It follows the index, and compares everything with the hashes there: ConfigMaps that merely look
like reports are not read. It needs permission to get ConfigMaps in the report namespace.`,
		Example: getReportExample,
		Annotations: exitCodes(
			"0  printed, and all of it is current",
			"1  there is no such report; or what was printed is out of date, partial, or not all",
			"2  wrong flags",
			"3  the server failed, or the hash of a report is not that in the index",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options(cmd.Flags())
			if err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	f.addTo(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&f.namespace, "namespace", "n", "", "namespace whose report is printed; the current context's namespace is ignored")
	flags.StringVar(&f.reportNamespace, "report-namespace", defaultReportNamespace, "namespace that holds the reports")
	flags.StringSliceVar(&f.engineNames, "engine", nil, "kinds of policies to print: "+strings.Join(env.engineList(), ", ")+" (default those it was published for)")
	flags.StringVarP(&f.output, "output", "o", "", "policies as "+orList(policyFormats[:3])+"; a file as "+orList(policyFormats[3:])+"; findings as "+orList(append([]string{formatTable}, findingsOfReports...))+"; of all reports, also "+formatIndex+" (default yaml and table)")
	f.complete(cmd, "namespace", func(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		return itemsOf(f.published(cmd.Context()), toComplete), cobra.ShellCompDirectiveNoFileComp
	})
	f.completeNamespaces(cmd, "report-namespace")
	f.completeWords(cmd, "engine", env.engineList()...)
	f.completeWords(cmd, "output", outputsOfReports...)
	return cmd
}

// published returns the namespaces that have a report, for completions.
func (f *getReportFlags) published(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	reader, err := newReader(f.restConfig, f.reportNamespace)
	if err != nil {
		return nil
	}
	index, err := reader.Index(ctx)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range index.Reports {
		names = append(names, e.Namespace)
	}
	return names
}

func (f *getReportFlags) options(flags *pflag.FlagSet) (getReportOptions, error) {
	errs := []error{checkNonEmpty(flags)}
	if f.namespace != "" {
		errs = append(errs, checkNamespaces("--namespace", f.namespace))
	}
	if f.reportNamespace != "" {
		errs = append(errs, checkNamespaces("--report-namespace", f.reportNamespace))
	}
	switch {
	case f.output != "" && !slices.Contains(outputsOfReports, f.output):
		errs = append(errs, fmt.Errorf("--output: unknown format %q: want %s", f.output, orList(outputsOfReports)))
	case f.namespace != "" && f.output == formatIndex:
		errs = append(errs, fmt.Errorf("--output: %s is about all reports: omit --namespace", f.output))
	}
	if flags.Changed("engine") {
		errs = append(errs, checkEngines(f.engineNames, f.engineList()))
	}
	if err := errors.Join(errs...); err != nil {
		return getReportOptions{}, usageError(err)
	}
	return getReportOptions{
		restConfig: f.restConfig, reportNamespace: f.reportNamespace, namespace: f.namespace,
		engineNames: f.engineNames, table: f.engines, output: f.output, streams: f.Streams,
	}, nil
}

func newReader(restConfig func() (*rest.Config, error), namespace string) (*publish.Reader, error) {
	config, err := restConfig()
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return publish.NewReader(config, namespace)
}

func (o getReportOptions) run(ctx context.Context) error {
	reader, err := newReader(o.restConfig, o.reportNamespace)
	if err != nil {
		return failureError(err)
	}
	if o.namespace != "" {
		return o.printReport(ctx, reader)
	}
	index, err := reader.Index(ctx)
	if err != nil {
		return o.failed(err)
	}
	whole := index.Level == aggregate.ByCluster
	switch {
	case slices.Contains(indexFormats, o.output), o.output == "" && !whole:
		return o.printIndex(index)
	case slices.Contains(findingsOfReports, o.output):
		return o.printAll(ctx, reader, index)
	case !whole:
		return usageError(fmt.Errorf("--namespace: required for --output %s, which is about one report", o.output))
	default:
		return o.printReport(ctx, reader)
	}
}

// failed returns an error of the reader with its exit code.
func (o getReportOptions) failed(err error) error {
	if errors.Is(err, publish.ErrNoReport) {
		return codedError{exitDrift, err}
	}
	return failureError(err)
}

// printReport prints the report of the namespace, or of the whole cluster, and its
// summary to standard error.
func (o getReportOptions) printReport(ctx context.Context, reader *publish.Reader) error {
	entry, files, err := reader.Report(ctx, o.namespace)
	if errors.Is(err, publish.ErrNoReport) {
		return o.explainMissing(ctx, reader, err)
	}
	if err != nil {
		return failureError(err)
	}
	data, err := o.encode(entry, files)
	if err != nil {
		return err
	}
	if err := writeOut(o.streams.Out, data); err != nil {
		return err
	}
	if o.output != formatSummary {
		for line := range strings.Lines(string(files[publish.SummaryFile])) {
			if err := printErr(o.streams.Err, line); err != nil {
				return err
			}
		}
	}
	switch {
	case entry.Stale != nil:
		return codedError{exitDrift, fmt.Errorf("the report of %s is out of date: %s", entry.Name(), entry.Stale)}
	case entry.Partial:
		return codedError{exitDrift, fmt.Errorf("the report of %s is partial: its policies can deny pods that could not be observed", entry.Name())}
	default:
		return nil
	}
}

// printAll prints the findings of all reports.
func (o getReportOptions) printAll(ctx context.Context, reader *publish.Reader, index publish.Index) error {
	var all []report.FindingReport
	for _, e := range index.Reports {
		entry, files, err := reader.Report(ctx, e.Namespace)
		if err != nil {
			return o.failed(err)
		}
		found, err := findingsOf(entry, files)
		if err != nil {
			return err
		}
		all = append(all, found)
	}
	data, err := encodeFindings(o.output, report.JoinFindings(all...), false)
	if err != nil {
		return failureError(err)
	}
	if err := writeOut(o.streams.Out, data); err != nil {
		return err
	}
	return o.checkComplete(index)
}

// findingsOf returns the findings of a report.
func findingsOf(entry publish.Entry, files map[string][]byte) (report.FindingReport, error) {
	data, ok := files[publish.FindingsFile]
	if !ok {
		return report.FindingReport{}, codedError{exitDrift, fmt.Errorf("the report of %s has no findings: publish it again with this version of advisor", entry.Name())}
	}
	found, err := report.ReadFindings(data)
	if err != nil {
		return report.FindingReport{}, failureError(fmt.Errorf("the report of %s: %w", entry.Name(), err))
	}
	return found, nil
}

// explainMissing says why there is no report, if the index knows.
func (o getReportOptions) explainMissing(ctx context.Context, reader *publish.Reader, missing error) error {
	index, err := reader.Index(ctx)
	if err != nil {
		return o.failed(err)
	}
	if index.Level == aggregate.ByCluster {
		return codedError{exitDrift, fmt.Errorf("%w: a single report is about the whole cluster: omit --namespace", missing)}
	}
	if !scopeOf(index.Coverage).Includes(o.namespace) {
		return codedError{exitDrift, fmt.Errorf("%w: the published reports cover %s", missing, report.Inspected(scopeOf(index.Coverage)))}
	}
	for _, g := range index.Coverage.Gaps {
		if g.Namespace == "" || g.Namespace == o.namespace {
			return codedError{exitDrift, fmt.Errorf("%w: %s", missing, g)}
		}
	}
	return codedError{exitDrift, fmt.Errorf("%w: no pods and templates were observed there", missing)}
}

// scopeOf returns the namespaces that are covered.
func scopeOf(c publish.Coverage) observe.Scope {
	return observe.Scope{Namespaces: c.Namespaces, ExcludedNamespaces: c.ExcludedNamespaces}
}

// encode returns the file of a report that was asked for, or its policies.
func (o getReportOptions) encode(entry publish.Entry, files map[string][]byte) ([]byte, error) {
	file := map[string]string{
		formatSummary: publish.SummaryFile, formatReport: publish.ReportFile, formatObservation: publish.ObservationFile,
	}[o.output]
	if file != "" {
		return files[file], nil
	}
	if o.output == formatTable || slices.Contains(findingsOfReports, o.output) {
		found, err := findingsOf(entry, files)
		if err != nil {
			return nil, err
		}
		data, err := encodeFindings(o.output, found, false)
		if err != nil {
			return nil, failureError(err)
		}
		return data, nil
	}
	policies, err := o.policies(entry, files)
	if err != nil {
		return nil, err
	}
	if o.output == "" || o.output == formatYAML {
		return policies, nil
	}
	list, err := listOf(policies)
	if err != nil {
		return nil, failureError(err)
	}
	data, err := list.encode(o.output)
	if err != nil {
		return nil, failureError(err)
	}
	return data, nil
}

// policies returns the policies of a report: those of the engines that were asked for,
// else those that it was published for.
func (o getReportOptions) policies(entry publish.Entry, files map[string][]byte) ([]byte, error) {
	names := o.engineNames
	if len(names) == 0 {
		names = o.publishedFor(files)
	}
	if len(names) == 0 {
		return nil, codedError{exitDrift, fmt.Errorf("the report of %s has no policies of an engine that this advisor knows: publish it again", entry.Name())}
	}
	var policies [][]byte
	for _, e := range o.table {
		if !slices.Contains(names, e.name) {
			continue
		}
		data, ok := files[publish.PoliciesFile(e.name)]
		if !ok {
			return nil, codedError{exitDrift, fmt.Errorf("the report of %s has no policies of the engine %s: publish with --engine %s", entry.Name(), e.name, e.name)}
		}
		policies = append(policies, data)
	}
	merged, err := generate.MergeYAML(policies...)
	if err != nil {
		return nil, failureError(fmt.Errorf("merging the policies of the report of %s: %w", entry.Name(), err))
	}
	return merged, nil
}

// publishedFor returns the names of the engines that a report was published for. What
// every report has is only among them if there is nothing else: it is printed for people
// who ask for it, and not applied by those who have not.
func (o getReportOptions) publishedFor(files map[string][]byte) []string {
	var names, always []string
	for _, e := range o.table {
		if _, ok := files[publish.PoliciesFile(e.name)]; !ok {
			continue
		}
		if e.publishedSince > 0 {
			always = append(always, e.name)
		} else {
			names = append(names, e.name)
		}
	}
	if len(names) == 0 {
		return always
	}
	return names
}

// printIndex prints all reports, and what is missing to standard error.
func (o getReportOptions) printIndex(index publish.Index) error {
	data, err := encodeIndex(o.output, index)
	if err != nil {
		return failureError(err)
	}
	if err := writeOut(o.streams.Out, data); err != nil {
		return err
	}
	err = printErr(o.streams.Err, fmt.Sprintf("%s in namespace %s (%s inspected): one policy per %s, for %s, from %s",
		report.Count(len(index.Reports), "report"), o.reportNamespace, report.Inspected(scopeOf(index.Coverage)),
		index.Level, strings.Join(index.Engines, ", "), strings.Join(index.Coverage.Sources, " and ")))
	if err != nil {
		return err
	}
	for _, g := range index.Coverage.Gaps {
		if err := printErr(o.streams.Err, g.String()); err != nil {
			return err
		}
	}
	return o.checkComplete(index)
}

// checkComplete returns an error if something is missing from the reports.
func (o getReportOptions) checkComplete(index publish.Index) error {
	if !index.Coverage.Complete {
		return codedError{exitDrift, errors.New("the reports are not complete: some are out of date or partial, or something could not be observed or published: see above, and the log of publish or controller")}
	}
	return nil
}

func encodeIndex(format string, index publish.Index) ([]byte, error) {
	if format == formatIndex {
		return index.Encode()
	}
	rows := [][]string{{"NAMESPACE", "PODS", "TEMPLATES", "POLICIES", "FINDINGS", "WARNINGS", "STATE"}}
	for _, e := range index.Reports {
		state := "current"
		switch {
		case e.Stale != nil:
			state = "out of date (" + e.Stale.String() + ")"
		case e.Partial:
			state = "partial"
		}
		rows = append(rows, []string{
			orNone(e.Namespace), strconv.Itoa(e.Pods), strconv.Itoa(e.Templates), strconv.Itoa(e.Policies), e.Severities.String(), strconv.Itoa(e.Findings), state,
		})
	}
	return table(rows)
}
