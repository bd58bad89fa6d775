package judge

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Print writes the faults as tables and one line that sums up.
func (v Verdict) Print(w io.Writer) error {
	lines := []string{v.title() + ": " + v.Error}
	if v.Error == "" {
		lines = slices.Concat(v.podLines(), v.policyLines())
		for _, s := range v.Skipped {
			lines = append(lines, "skipped: "+oneLine(s))
		}
		lines = append(lines, v.Summary())
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(table, strings.Join(lines, "\n")+"\n"); err != nil {
		return fmt.Errorf("writing the verdict: %w", err)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("writing the verdict: %w", err)
	}
	return nil
}

// podLines and policyLines are tables, with a tab after each cell.
func (v Verdict) podLines() []string {
	if len(v.Pods) == 0 {
		return nil
	}
	lines := []string{"POD\tFORM\tOUTCOME\tPOLICY\tDETAIL"}
	for _, p := range v.Pods {
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%s\t%s", p.Pod, p.Form, p.Outcome, dash(p.Policy), oneLine(p.Detail)))
	}
	return append(lines, "")
}

func (v Verdict) policyLines() []string {
	if len(v.Policies) == 0 {
		return nil
	}
	lines := []string{"POLICY\tPODS\tFAULT\tDETAIL"}
	for _, p := range v.Policies {
		row := func(fault, detail string) {
			lines = append(lines, fmt.Sprintf("%s\t%d\t%s\t%s", p.Name, p.Pods, fault, oneLine(detail)))
		}
		if p.Invalid != "" {
			row("invalid", p.Invalid)
		}
		if p.Unused {
			row("unused", "no pod was found that it was made for")
		}
		for _, s := range p.Slack {
			row("slack", s.Field+": "+s.Change)
		}
	}
	return append(lines, "")
}

// Summary is the verdict in one line.
func (v Verdict) Summary() string {
	var parts []string
	for _, outcome := range []Outcome{Unchanged, Neutral, Changed, Stuck, Denied, Ungranted, Refused} {
		if n := v.Counts[outcome]; n > 0 || outcome == Unchanged {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	result := "FAIL"
	if v.OK {
		result = "ok"
	}
	return fmt.Sprintf("%s: %s: pods: %s; %d policies, slack %d, invalid %d, skipped documents %d",
		v.title(), result, strings.Join(parts, ", "), v.Judged, v.SlackTotal, v.InvalidTotal, len(v.Skipped))
}

func (v Verdict) title() string {
	if v.Name == "" {
		return "judge"
	}
	return v.Name
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// oneLine keeps a table's cell in its row.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 400 {
		return s[:400] + "…"
	}
	return s
}
