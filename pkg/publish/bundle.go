package publish

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	corev1 "k8s.io/api/core/v1"
)

// Bundle is a report in published form: its entry in the index and its ConfigMaps.
type Bundle struct {
	Entry Entry
	// ConfigMaps in the order of the entry, without a namespace. They are immutable,
	// and their names end in the hash of their content.
	ConfigMaps []*corev1.ConfigMap
}

// errTooLarge is the error for a report with a document larger than MaxBytes.
var errTooLarge = errors.New("too large for a ConfigMap")

// Pack returns the bundle of an observation, its policies, its report and its findings. namespace is
// empty for the report of a cluster. It is an error if a single document of the policies
// is larger than MaxBytes.
func Pack(namespace string, obs *observe.Observation, r report.Report, found report.FindingReport, results []generate.Result) (Bundle, error) {
	files := map[string][]byte{}
	var err error
	if files[SummaryFile], err = shortSummary(r); err != nil {
		return Bundle{}, err
	}
	if files[ReportFile], err = marshal(Document{APIVersion: APIVersion, Kind: KindReport, Namespace: namespace, Report: r}); err != nil {
		return Bundle{}, fmt.Errorf("writing the report: %w", err)
	}
	if files[FindingsFile], err = marshal(found); err != nil {
		return Bundle{}, fmt.Errorf("writing the findings: %w", err)
	}
	if files[ObservationFile], err = observe.Encode(obs); err != nil {
		return Bundle{}, err
	}
	for _, result := range results {
		if files[PoliciesFile(result.Engine.Name)], err = generate.YAML(result.Outputs, true); err != nil {
			return Bundle{}, err
		}
	}
	b := Bundle{Entry: Entry{
		Namespace: namespace, Files: map[string]string{},
		Pods: r.Pods, Templates: r.Templates, Workloads: len(r.Workloads), Policies: r.Policies, Findings: len(r.Findings),
		Severities: found.Counts, Rules: found.ByRule(), Partial: len(obs.Gaps) > 0,
	}}
	p := &packer{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b.Entry.Files[name] = sum(files[name])
		if err := p.addFile(name, files[name]); err != nil {
			return Bundle{}, err
		}
	}
	for _, content := range p.parts {
		cm := content.configMap(LabelReport, namespace)
		b.ConfigMaps = append(b.ConfigMaps, cm)
		b.Entry.ConfigMaps = append(b.Entry.ConfigMaps, cm.Name)
	}
	return b, nil
}

// Unpack returns the files of a report from its ConfigMaps, which must be in the order of
// its entry in the index. It checks the hash of each file.
func Unpack(e Entry, configMaps []*corev1.ConfigMap) (map[string][]byte, error) {
	whole := content{}
	for _, cm := range configMaps {
		for key, value := range contentOf(cm) {
			whole[key] = append(whole[key], value...)
		}
	}
	files := map[string][]byte{}
	for key := range whole {
		name := strings.TrimSuffix(key, GzipSuffix)
		data, err := whole.file(name)
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	for name, data := range files {
		if e.Files[name] != sum(data) {
			return nil, fmt.Errorf("report of %s: the hash of %s is not that in the index: publish it again", e.Name(), name)
		}
	}
	if len(files) != len(e.Files) {
		return nil, fmt.Errorf("report of %s: it has %d files instead of the %d in the index: publish it again", e.Name(), len(files), len(e.Files))
	}
	return files, nil
}

// ReadReport decodes the ReportFile of a report.
func ReadReport(data []byte) (Document, error) {
	var d Document
	if err := json.Unmarshal(data, &d); err != nil {
		return Document{}, fmt.Errorf("reading the report: %w", err)
	}
	return d, nil
}

// shortSummary returns the summary with at most MaxSummaryLines lines.
func shortSummary(r report.Report) ([]byte, error) {
	var out bytes.Buffer
	if err := r.Summary(&out); err != nil {
		return nil, err
	}
	return firstLines(out.Bytes(), ReportFile), nil
}

// firstLines returns at most MaxSummaryLines lines with at most maxSummaryLine
// characters each. If it removes lines, the last one names the file that has them.
func firstLines(text []byte, rest string) []byte {
	lines := strings.SplitAfter(string(text), "\n")
	lines = lines[:len(lines)-1] // empty: it follows the last line feed
	for i, line := range lines {
		if len(line) > maxSummaryLine {
			lines[i] = printable.Short(strings.TrimSuffix(line, "\n"), maxSummaryLine) + "\n"
		}
	}
	if more := len(lines) - (MaxSummaryLines - 1); more > 1 {
		lines = append(lines[:MaxSummaryLines-1], fmt.Sprintf("and %d more lines: see %s\n", more, rest))
	}
	return []byte(strings.Join(lines, ""))
}
