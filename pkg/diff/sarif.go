package diff

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

// SARIF returns the escalations as a log in SARIF 2.1.0 (OASIS), for code scanning: a
// result for each, at the line where the document of the workload begins.
func SARIF(changes []Change) ([]byte, error) {
	run := sarif.NewRunWithInformationURI("advisor", "https://github.com/psp-advisor/psp-advisor")
	var results []*sarif.Result
	worst := map[string]privilege.Severity{}
	for _, c := range changes {
		for _, p := range worstFirst(c.Escalated) {
			rule := ruleOf(p.Line)
			if known, ok := worst[rule]; !ok || known.Compare(p.Severity) < 0 {
				worst[rule] = p.Severity
			}
			results = append(results, resultOf(c, p))
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(worst)) {
		run.AddRule(rule).WithDescription("a pod asks for more than before: " + strings.TrimPrefix(rule, rulePrefix)).
			WithProperties(sarif.NewPropertyBag().Add("security-severity", scores[worst[rule]]))
	}
	for _, r := range results {
		run.AddResult(r.WithRuleIndex(run.GetRuleIndex(*r.RuleID)))
	}
	report := sarif.NewReport().AddRun(run)
	var out bytes.Buffer
	if err := report.PrettyWrite(&out); err != nil {
		return nil, fmt.Errorf("writing SARIF: %w", err)
	}
	return append(printable.JSON(out.Bytes()), '\n'), nil
}

const rulePrefix = "escalation/"

// ruleOf returns the rule of a line: a rule for each family of privileges, since the
// strings of a cluster in the lines are no rules.
func ruleOf(line string) string { return rulePrefix + familyOf(line) }

// levels and scores are how bad a severity is for SARIF, and for GitHub's code scanning,
// which takes a number as in CVSS ("security-severity").
var (
	levels = map[privilege.Severity]string{
		privilege.Critical: sarif.LevelError, privilege.High: sarif.LevelError, privilege.Medium: sarif.LevelWarning,
		privilege.Low: sarif.LevelNote, privilege.Info: sarif.LevelNote,
	}
	scores = map[privilege.Severity]string{
		privilege.Critical: "9.5", privilege.High: "8.0", privilege.Medium: "5.0", privilege.Low: "2.0", privilege.Info: "0.0",
	}
)

func resultOf(c Change, p Privilege) *sarif.Result {
	workload := plainName(c.Workload.Namespace + "/" + c.Workload.String())
	location := sarif.NewLocation().AddLogicalLocation(sarif.NewLogicalLocation().WithFullyQualifiedName(workload).WithKind("resource"))
	if c.Place != nil && c.Place.File != "stdin" {
		physical := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation(uriOf(c.Place.File)))
		physical.WithRegion(sarif.NewRegion().WithStartLine(max(c.Place.Line, 1)))
		location.WithPhysicalLocation(physical)
	}
	message := workload
	if c.State == Added {
		message = "new: " + workload
	}
	message += fmt.Sprintf(" asks for %s: %s", p.fact("+").text(plainName), p.Severity)
	id := sha256.Sum256([]byte(strings.Join([]string{c.Workload.Namespace, c.Workload.Group, c.Workload.Kind, c.Workload.Name, p.Line}, "\x00")))
	return sarif.NewRuleResult(ruleOf(p.Line)).WithLevel(levels[p.Severity]).
		WithMessage(sarif.NewTextMessage(message)).AddLocation(location).
		WithPartialFingerprints(map[string]string{"privilege/v1": hex.EncodeToString(id[:16])})
}

// uriOf returns the URI of a file as the user gave it, with a path relative to where the
// advisor runs.
func uriOf(file string) string {
	if u, err := url.Parse(file); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		return u.String()
	}
	return (&url.URL{Path: strings.TrimPrefix(file, "./")}).String()
}
