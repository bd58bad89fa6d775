package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	corev1 "k8s.io/api/core/v1"
)

// Bundle is a report as it is published: its entry in the index and the
// ConfigMaps that hold it.
type Bundle struct {
	Entry Entry
	// ConfigMaps in the order of the entry. They never change once written: a
	// name ends in the hash of the content. Their own namespace is not set.
	ConfigMaps []*corev1.ConfigMap
}

// Pack returns the bundle of a report and its policies. namespace is what the
// report is about; empty for a whole cluster. It is an error if one document of
// the policies alone is above MaxBytes.
func Pack(namespace string, r Report, results []generate.Result) (Bundle, error) {
	var outputs []generate.Output
	for _, result := range results {
		outputs = append(outputs, result.Outputs...)
	}
	yaml, err := generate.YAML(outputs, true)
	if err != nil {
		return Bundle{}, err
	}
	summary, err := shortSummary(r)
	if err != nil {
		return Bundle{}, err
	}
	doc, err := marshal(Document{Schema: Schema, Namespace: namespace, Report: r.withoutNil()})
	if err != nil {
		return Bundle{}, fmt.Errorf("writing report: %w", err)
	}
	p := &packer{namespace: namespace}
	p.add(SummaryKey, summary)
	if err := p.addJSON(ReportKey, ReportGzipKey, doc); err != nil {
		return Bundle{}, err
	}
	for _, d := range documents(yaml) {
		if len(d)+len(PoliciesKey) > MaxBytes {
			return Bundle{}, fmt.Errorf("a policy takes %d bytes, more than the %d of a ConfigMap: %.100q", len(d), MaxBytes, d)
		}
		p.add(PoliciesKey, d)
	}
	b := Bundle{Entry: Entry{
		Namespace: namespace, PoliciesSHA256: sum(yaml), ReportSHA256: sum(doc),
		Pods: r.Pods, Templates: r.Templates, Workloads: len(r.Workloads), Policies: r.Policies, Findings: len(r.Findings),
		Partial: len(r.Gaps) > 0,
	}}
	for _, content := range p.parts {
		cm := content.configMap(KindReport, namespace)
		b.ConfigMaps = append(b.ConfigMaps, cm)
		b.Entry.ConfigMaps = append(b.Entry.ConfigMaps, cm.Name)
	}
	return b, nil
}

// Unpack is the way back: it puts a report together again from its ConfigMaps,
// in the order of its entry in the index, and checks it against the entry.
func Unpack(e Entry, configMaps []*corev1.ConfigMap) (policies []byte, doc Document, err error) {
	whole := content{}
	for _, cm := range configMaps {
		for key, value := range contentOf(cm) {
			whole[key] = append(whole[key], value...)
		}
	}
	data, err := whole.json(ReportKey, ReportGzipKey)
	if err != nil {
		return nil, Document{}, err
	}
	policies = whole[PoliciesKey]
	if sum(policies) != e.PoliciesSHA256 || sum(data) != e.ReportSHA256 {
		return nil, Document{}, fmt.Errorf("report of %q: the content is not what the index says", e.Namespace)
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, Document{}, fmt.Errorf("reading report: %w", err)
	}
	return policies, doc, nil
}

// shortSummary is the summary, bounded in lines.
func shortSummary(r Report) ([]byte, error) {
	var out bytes.Buffer
	if err := r.Summary(&out); err != nil {
		return nil, err
	}
	return firstLines(out.Bytes(), "report.json"), nil
}

// firstLines returns at most MaxSummaryLines lines, none of them above
// maxSummaryLine bytes, and says where the rest is.
func firstLines(text []byte, rest string) []byte {
	lines := slices.Collect(bytes.Lines(text))
	for i, line := range lines {
		if len(line) > maxSummaryLine {
			lines[i] = append(bytes.ToValidUTF8(line[:maxSummaryLine:maxSummaryLine], nil), "…\n"...)
		}
	}
	if more := len(lines) - (MaxSummaryLines - 1); more > 1 {
		lines = append(lines[:MaxSummaryLines-1], fmt.Appendf(nil, "and %d more lines: see %s\n", more, rest))
	}
	return bytes.Join(lines, nil)
}

// withoutNil has empty lists where r has none: "null" is not part of the schema.
func (r Report) withoutNil() Report {
	r.Namespaces, r.Workloads, r.Findings = orEmpty(r.Namespaces), orEmpty(r.Workloads), orEmpty(r.Findings)
	return r
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
