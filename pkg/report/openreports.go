package report

import (
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

// openReport is a Report of openreports.io/v1alpha1, which dashboards for policy reports
// read (github.com/openreports/reports-api). It has no timestamps.
type openReport struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   openReportMeta  `json:"metadata"`
	Source     string          `json:"source"`
	Scope      openReference   `json:"scope"`
	Summary    openSummary     `json:"summary"`
	Results    []openReportRow `json:"results"`
}

type openReportMeta struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels"`
}

type openReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
}

type openSummary struct {
	Pass  int `json:"pass"`
	Fail  int `json:"fail"`
	Warn  int `json:"warn"`
	Error int `json:"error"`
	Skip  int `json:"skip"`
}

type openReportRow struct {
	Source   string             `json:"source"`
	Policy   string             `json:"policy"`
	Rule     string             `json:"rule"`
	Category string             `json:"category"`
	Severity privilege.Severity `json:"severity"`
	Result   string             `json:"result"`
	Scored   bool               `json:"scored"`
	Message  string             `json:"message"`
	// Properties of the finding, and of its remedy.
	Properties map[string]string `json:"properties,omitempty"`
}

// OpenReports returns a Report for each workload, as YAML documents to apply: with its
// findings, and a pass for each rule that it does not break.
func (r FindingReport) OpenReports() ([]byte, error) {
	var all []byte
	for _, w := range r.Workloads {
		doc, err := generate.Document(openReportOf(r, w))
		if err != nil {
			return nil, fmt.Errorf("writing a report of %s: %w", w.Workload(), err)
		}
		all = append(all, doc...)
	}
	return all, nil
}

func openReportOf(r FindingReport, w FindingWorkload) openReport {
	o := openReport{
		APIVersion: "openreports.io/v1alpha1", Kind: "Report", Source: "psp-advisor",
		Metadata: openReportMeta{
			Name: generate.Name(w.group()), Namespace: w.Namespace, Labels: generate.Labels(),
		},
		Scope:   openReference{w.apiVersion(), w.Kind, w.Namespace, w.Name},
		Results: []openReportRow{},
	}
	broken := map[string]bool{}
	for _, f := range w.Findings {
		broken[f.Rule] = true
		row := rowOf(f.Rule, "fail")
		row.Severity = f.Severity
		row.Message += ": " + plainName(f.Subject)
		row.Properties = map[string]string{"subject": plainName(f.Subject), "remedy": plainName(f.mends())}
		if f.Container != "" {
			row.Properties["container"] = plainName(f.Container)
		}
		if f.Remedy != nil {
			row.Properties["confidence"] = string(f.Remedy.Confidence)
		}
		o.Results = append(o.Results, row)
		o.Summary.Fail++
	}
	for _, rule := range finding.Rules() {
		if !broken[rule.ID] && r.Why == "" {
			o.Results = append(o.Results, rowOf(rule.ID, "pass"))
			o.Summary.Pass++
		}
	}
	return o
}

func rowOf(id, result string) openReportRow {
	rule, _ := finding.RuleOf(id)
	row := openReportRow{
		Source: "psp-advisor", Policy: "psp-advisor", Rule: id, Category: "Best Practices", Severity: rule.Severity,
		Result: result, Scored: true, Message: rule.Title,
	}
	if rule.PodSecurity != "" {
		row.Category = "Pod Security Standards"
	}
	return row
}
