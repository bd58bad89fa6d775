package report

import (
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/sarif"
)

// SARIF returns the report as a log in SARIF 2.1.0 (OASIS), for code scanning: a result
// for each finding, at the line where the document of the workload begins.
func (r FindingReport) SARIF() ([]byte, error) {
	var rules []sarif.Rule
	for _, rule := range r.Rules {
		rules = append(rules, sarif.Rule{ID: rule.ID, Text: rule.Title + ": " + rule.Why, Help: rule.Remedy, Severity: rule.Severity, Tags: tagsOf(rule)})
	}
	var results []sarif.Result
	for _, w := range r.worstFirst() {
		workload := plainName(w.Namespace + "/" + w.Kind + "/" + w.Name)
		for _, f := range w.Findings {
			rule, _ := ruleOf(f.Rule)
			message := workload + ": " + rule.Title + ": " + plainName(f.Subject)
			if f.Container != "" {
				message += " (container " + plainName(f.Container) + ")"
			}
			if f.Remedy != nil {
				message += ". " + plainName(f.mends()) + " (" + f.Remedy.Confidence.Text() + ")"
			}
			results = append(results, sarif.Result{
				Rule: f.Rule, Severity: f.Severity, Message: message, Subject: workload, File: w.File, Line: w.Line,
				Identity: []string{w.Namespace, w.Group, w.Kind, w.Name, f.Rule, f.Container, f.Subject},
			})
		}
	}
	for _, i := range r.Images {
		for _, f := range i.Findings {
			rule, _ := ruleOf(f.Rule)
			result := sarif.Result{
				Rule: f.Rule, Severity: f.Severity, Message: rule.Title + ": " + plainName(f.Subject),
				Subject: plainName(i.Image), Identity: []string{i.Image, f.Rule, f.Subject},
			}
			if f.Line > 0 {
				result.File, result.Line = i.Image, f.Line
			}
			results = append(results, result)
		}
	}
	return sarif.Log(rules, results) //nolint:wrapcheck // it says what it writes
}

// tagsOf returns the standards that a rule belongs to.
func tagsOf(r finding.Rule) []string {
	var tags []string
	if r.PodSecurity != "" {
		tags = append(tags, "pod-security-standards/"+r.PodSecurity)
	}
	if r.CIS != "" {
		tags = append(tags, "cis/"+strings.ReplaceAll(r.CIS, " ", "-"))
	}
	return tags
}
