package diff

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/sarif"
)

// SARIF returns the escalations as a log in SARIF 2.1.0 (OASIS), for code scanning: a
// result for each, at the line where the document of the workload begins.
func SARIF(changes []Change) ([]byte, error) {
	var results []sarif.Result
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
	var rules []sarif.Rule
	for _, id := range slices.Sorted(maps.Keys(worst)) {
		rules = append(rules, sarif.Rule{ID: id, Text: "a pod asks for more than before: " + strings.TrimPrefix(id, rulePrefix), Severity: worst[id]})
	}
	return sarif.Log(rules, results) //nolint:wrapcheck // it says what it writes
}

const rulePrefix = "escalation/"

// ruleOf returns the rule of a line: a rule for each family of privileges, since the
// strings of a cluster in the lines are no rules.
func ruleOf(line string) string { return rulePrefix + familyOf(line) }

func resultOf(c Change, p Privilege) sarif.Result {
	workload := plainName(c.Workload.Namespace + "/" + c.Workload.String())
	r := sarif.Result{
		Rule: ruleOf(p.Line), Severity: p.Severity, Subject: workload,
		Identity: []string{c.Workload.Namespace, c.Workload.Group, c.Workload.Kind, c.Workload.Name, p.Line},
	}
	if c.Place != nil {
		r.File, r.Line = c.Place.File, c.Place.Line
	}
	if c.State == Added {
		workload = "new: " + workload
	}
	r.Message = workload + fmt.Sprintf(" asks for %s: %s", p.fact("+").text(plainName), p.Severity)
	return r
}
