package html

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/report"
)

// fix is a rule to mend first.
type fix struct {
	Rule, Title, Where, Remedy string
	Severity                   privilege.Severity
	Known                      bool
}

// fixesOf returns the five rules whose findings are the worst; of the same severity,
// those that the most workloads break so badly.
func fixesOf(r report.FindingReport) []fix {
	type broken struct {
		worst      privilege.Severity
		workloads  int
		namespaces map[string]int
	}
	byRule := map[string]*broken{}
	for _, w := range r.Workloads {
		worst := map[string]privilege.Severity{}
		for _, f := range w.Findings {
			if known, seen := worst[f.Rule]; !seen || f.Severity.Compare(known) > 0 {
				worst[f.Rule] = f.Severity
			}
		}
		for rule, s := range worst {
			b := byRule[rule]
			if b == nil || s.Compare(b.worst) > 0 {
				b = &broken{worst: s, namespaces: map[string]int{}}
				byRule[rule] = b
			}
			if s == b.worst {
				b.workloads++
				b.namespaces[w.Namespace]++
			}
		}
	}
	rules := slices.SortedFunc(maps.Keys(byRule), func(a, b string) int {
		x, y := byRule[a], byRule[b]
		return cmp.Or(y.worst.Compare(x.worst), y.workloads-x.workloads, strings.Compare(a, b))
	})
	var list []fix
	for _, id := range rules[:min(len(rules), 5)] {
		b := byRule[id]
		if b.worst.Compare(privilege.Low) < 0 {
			break
		}
		rule, known := ruleOf(r, id)
		list = append(list, fix{
			Rule: name(id), Title: text(rule.Title), Remedy: text(rule.Remedy), Severity: b.worst, Known: known,
			Where: report.Count(b.workloads, "workload") + " in " + where(b.namespaces),
		})
	}
	return list
}

// where returns the namespaces with the most workloads in words.
func where(namespaces map[string]int) string {
	list := slices.SortedFunc(maps.Keys(namespaces), func(a, b string) int {
		return cmp.Or(namespaces[b]-namespaces[a], strings.Compare(a, b))
	})
	const shown = 3
	more := max(len(list)-shown, 0)
	var words []string
	for _, n := range list[:len(list)-more] {
		words = append(words, name(n))
	}
	if more > 0 {
		words = append(words, report.Count(more, "more namespace"))
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// mendedOf returns in words how many findings have a remedy that few workloads notice.
func mendedOf(r report.FindingReport) string {
	byConfidence, all := map[finding.Confidence]int{}, 0
	for _, w := range r.Workloads {
		for _, f := range w.Findings {
			all++
			if f.Remedy != nil {
				byConfidence[f.Remedy.Confidence]++
			}
		}
	}
	if all == 0 {
		return ""
	}
	safe, likely, test := byConfidence[finding.Safe], byConfidence[finding.Likely], byConfidence[finding.Test]
	return fmt.Sprintf("Of %s in manifests, %d can be mended by a change that is safe by construction, %d by one that is likely safe and %d by one to test; %d need a change that is not a field of a manifest.",
		report.Count(all, "finding"), safe, likely, test, all-safe-likely-test)
}
