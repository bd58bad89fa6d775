// Package sarif writes results for code scanning, as a log in SARIF 2.1.0 (OASIS).
//
// Input is rules and results; output is the log. Laws, each tested:
//   - The same results give the same bytes: a log has no time and no version.
//   - A string of a cluster never leaves its value, and is printable.
//   - A log has at most MaxResults results, and a notification if there were more.
package sarif

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

// Rule is what a result is about.
type Rule struct {
	ID string
	// Text says what is wrong, and Help how to mend it; Help may be empty.
	Text, Help string
	Severity   privilege.Severity
	// Tags by which rules are grouped.
	Tags []string
}

// Result is a rule that something breaks.
type Result struct {
	// Rule is the ID of the rule.
	Rule     string
	Severity privilege.Severity
	Message  string
	// Subject names what breaks the rule, such as a workload.
	Subject string
	// File is where it stands, and Line from 1; empty if it is in no file.
	File string
	Line int
	// Identity are the strings that make two results the same one, from run to run.
	Identity []string
}

// MaxResults is how many results a log has: GitHub's code scanning refuses a run with more
// (docs.github.com, "SARIF support for code scanning").
const MaxResults = 25_000

// Log returns the log of results, each with one of the rules. If there are more than
// MaxResults, it has the worst, and says so in a notification.
func Log(rules []Rule, results []Result) ([]byte, error) {
	run := sarif.NewRunWithInformationURI("advisor", "https://github.com/psp-advisor/psp-advisor")
	for _, r := range rules {
		properties := sarif.NewPropertyBag().Add("security-severity", scores[r.Severity])
		if len(r.Tags) > 0 {
			properties.Add("tags", r.Tags)
		}
		rule := run.AddRule(r.ID).WithDescription(r.Text).WithProperties(properties)
		if r.Help != "" {
			rule.WithHelp(sarif.NewMultiformatMessageString().WithText(r.Help))
		}
	}
	kept := worst(results)
	if len(kept) < len(results) {
		run.AddInvocation(notified(fmt.Sprintf("%d of %d results are left out, none of them worse than %s: code scanning takes %d of a run",
			len(results)-len(kept), len(results), kept[len(kept)-1].Severity, MaxResults)))
	}
	for _, r := range kept {
		run.AddResult(resultOf(r).WithRuleIndex(run.GetRuleIndex(r.Rule)))
	}
	var out bytes.Buffer
	if err := sarif.NewReport().AddRun(run).PrettyWrite(&out); err != nil {
		return nil, fmt.Errorf("writing SARIF: %w", err)
	}
	return append(printable.JSON(out.Bytes()), '\n'), nil
}

// worst returns results in their order, or, if there are too many, the worst of them, the
// worst first.
func worst(results []Result) []Result {
	if len(results) <= MaxResults {
		return results
	}
	results = slices.Clone(results)
	slices.SortStableFunc(results, func(a, b Result) int { return b.Severity.Compare(a.Severity) })
	return results[:MaxResults]
}

// notified returns a run of the tool that succeeded, with a warning about its results.
func notified(warning string) *sarif.Invocation {
	return sarif.NewInvocation().WithExecutionSuccessful(true).AddToolExecutionNotification(
		sarif.NewNotification().WithLevel(sarif.LevelWarning).WithMessage(sarif.NewTextMessage(warning)))
}

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

func resultOf(r Result) *sarif.Result {
	location := sarif.NewLocation().AddLogicalLocation(sarif.NewLogicalLocation().WithFullyQualifiedName(r.Subject).WithKind("resource"))
	if r.File != "" && r.File != "stdin" {
		physical := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation(uriOf(r.File)))
		physical.WithRegion(sarif.NewRegion().WithStartLine(max(r.Line, 1)))
		location.WithPhysicalLocation(physical)
	}
	id := sha256.Sum256([]byte(strings.Join(r.Identity, "\x00")))
	return sarif.NewRuleResult(r.Rule).WithLevel(levels[r.Severity]).
		WithMessage(sarif.NewTextMessage(r.Message)).AddLocation(location).
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
