package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"golang.org/x/text/width"
)

// maxName is how much of a string of a cluster is printed, in characters.
const maxName = 200

func plainName(s string) string { return printable.Line(s, maxName) }

// columns is the width of a terminal that the table fits.
const columns = 80

// Table returns the report for people: numbers, the workloads with what is wrong with
// them, the worst first, and the Pod Security level of each namespace. A line has at most 80
// characters, so long names are cut. With color, severities have one, beside their name.
func (r FindingReport) Table(color bool) []byte {
	if r.Why != "" {
		return r.whyTable()
	}
	var out strings.Builder
	line := func(format string, args ...any) { out.WriteString(fit(fmt.Sprintf(format, args...)) + "\n") }
	headline := r.headline()
	if widthOf(headline) > columns {
		headline = strings.Replace(headline, " in ", "\nin ", 1)
	}
	line("%s", headline)
	for _, g := range r.Gaps {
		line("not observed: %s", plainName(g))
	}
	for _, w := range r.worstFirst() {
		if len(w.Findings) == 0 {
			continue
		}
		line("\n%s", w.heading())
		for _, g := range grouped(w.Findings) {
			text := fmt.Sprintf("  %-8s  %-24s  %s", g.Severity, g.Rule, plainName(g.Subject))
			if by := g.by(plainName); by != "" && widthOf(text+by) <= columns {
				text += by
			} else if by != "" {
				text = fit(text) + "\n" + strings.Repeat(" ", 37) + by
			}
			text = fit(text)
			if color {
				text = strings.Replace(text, string(g.Severity), colored(g.Severity), 1)
			}
			out.WriteString(text + "\n")
		}
	}
	for _, i := range r.Images {
		line("\nimage %s", plainName(i.Image))
		for _, f := range i.Findings {
			line("  %-8s  %-24s  %s", f.Severity, f.Rule, f.text(plainName))
		}
	}
	for i, n := range slices.DeleteFunc(slices.Clone(r.Namespaces), func(n FindingNamespace) bool { return n.Level == "" }) {
		if i == 0 {
			line("\nPod Security of Kubernetes %s", n.Version)
		}
		held := func(indent, text string, list []HeldBack) {
			if len(list) > 0 {
				text += " because of"
			}
			line("%s%s", indent, text)
			for _, h := range list {
				line("%s  %-26s  %s", indent, plainName(h.Check), plainName(generate.FirstFew(h.Workloads)))
			}
		}
		text := plainName(n.Name) + ": " + n.Level
		if len(n.HeldBack) > 0 {
			text += ", not " + n.HeldBack[0].Level
		}
		held("  ", text, n.HeldBack)
		for _, c := range n.Timeline {
			held("    ", c.String(), c.HeldBack)
		}
	}
	return []byte(out.String())
}

// headline returns the numbers in words.
func (r FindingReport) headline() string {
	of := "in " + Count(len(r.Workloads), "workload") + " of " + Count(len(r.Namespaces), "namespace")
	if len(r.Workloads) == 0 && len(r.Images) > 0 {
		of = "in " + Count(len(r.Images), "image")
	}
	if r.Counts.Total() == 0 {
		return "no findings " + of
	}
	return r.Counts.String() + " " + of
}

// fit cuts a line to the width of the table.
func fit(text string) string {
	if i := strings.LastIndex(text, "\n"); i >= 0 {
		return text[:i+1] + fit(text[i+1:])
	}
	if widthOf(text) <= columns {
		return text
	}
	at := 0
	for i, r := range text {
		if at += widthOf(string(r)); at > columns-1 {
			return text[:i] + "…"
		}
	}
	return text
}

// widthOf returns how many columns of a terminal a text takes: wide characters take two
// (Unicode Standard Annex 11).
func widthOf(text string) int {
	n := 0
	for _, r := range text {
		n++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}

// colors are those of terminals, in bold for the worst.
var colors = map[privilege.Severity]string{
	privilege.Critical: "1;31", privilege.High: "31", privilege.Medium: "33", privilege.Low: "36", privilege.Info: "2",
}

func colored(s privilege.Severity) string { return "\x1b[" + colors[s] + "m" + string(s) + "\x1b[0m" }

// String returns the change without what holds the namespace back from the tighter level:
// the looser one comes last.
func (c LevelChange) String() string {
	version, before, after := plainName(c.Version), plainName(c.Before), plainName(c.After)
	if len(c.HeldBack) > 0 && c.HeldBack[0].Level == c.Before {
		return fmt.Sprintf("%s before %s, from then on %s", before, version, after)
	}
	return fmt.Sprintf("from %s on %s, before that %s", version, after, before)
}

// heldBack says which checks keep a namespace from a level, and whose they are.
func heldBack(list []HeldBack, name func(string) string) string {
	var checks, workloads []string
	for _, h := range list {
		checks = append(checks, name(h.Check))
		for _, w := range h.Workloads {
			workloads = append(workloads, name(w))
		}
	}
	slices.Sort(workloads)
	return strings.Join(checks, ", ") + " of " + generate.FirstFew(slices.Compact(workloads))
}

// heading names a workload, and says where its manifest stands: below it where both do
// not fit a line, so that the number of the line is not cut off.
func (w FindingWorkload) heading() string {
	name, place := plainName(w.Namespace+" "+w.Kind+"/"+w.Name), w.place()
	if place == "" || widthOf(name+place) <= columns {
		return name + place
	}
	return fit(name) + "\n  " + strings.TrimPrefix(place, ", ")
}

// place says where the manifest of a workload stands.
func (w FindingWorkload) place() string {
	if w.File == "" {
		return ""
	}
	return ", " + plainName(w.File) + ":" + strconv.Itoa(w.Line)
}

// worstFirst returns the workloads, those with the worst findings first.
func (r FindingReport) worstFirst() []FindingWorkload {
	counts := make(map[aggregate.Workload]Counts, len(r.Workloads))
	for _, w := range r.Workloads {
		counts[w.Workload()] = w.Counts()
	}
	return slices.SortedStableFunc(slices.Values(r.Workloads), func(a, b FindingWorkload) int {
		return counts[b.Workload()].Compare(counts[a.Workload()])
	})
}

// findingGroup is a finding of several containers.
type findingGroup struct {
	Finding
	containers []string
}

// grouped returns findings, those that differ in the container only as one.
func grouped(list []Finding) []findingGroup {
	var groups []findingGroup
	for _, f := range list {
		i := slices.IndexFunc(groups, func(g findingGroup) bool {
			return g.Rule == f.Rule && g.Severity == f.Severity && g.Subject == f.Subject && f.Container != ""
		})
		if i < 0 {
			groups, i = append(groups, findingGroup{Finding: f}), len(groups)
		}
		if f.Container != "" {
			groups[i].containers = append(groups[i].containers, f.Container)
		}
	}
	return groups
}

// who returns what breaks the rule, and which containers do.
func (g findingGroup) who(name func(string) string) string { return name(g.Subject) + g.by(name) }

// by returns the containers that break the rule, in parentheses.
func (g findingGroup) by(name func(string) string) string {
	if len(g.containers) == 0 {
		return ""
	}
	var names []string
	for _, c := range g.containers {
		names = append(names, name(c))
	}
	return " (" + byNumber(len(names), "container ", "containers ") + generate.FirstFew(names) + ")"
}

func (f ImageFinding) text(name func(string) string) string {
	if f.Line > 0 {
		return fmt.Sprintf("line %d: %s", f.Line, name(f.Subject))
	}
	return name(f.Subject)
}

// whyTable returns who asks for the line that the report is about. Its lines fit a terminal
// as those of Table do.
func (r FindingReport) whyTable() []byte {
	var out strings.Builder
	line := func(format string, args ...any) { out.WriteString(fit(fmt.Sprintf(format, args...)) + "\n") }
	line("%s asked for by %s in %s", plainName(r.Why), Count(len(r.Workloads), "workload"), Count(len(r.Namespaces), "namespace"))
	for _, w := range r.Workloads {
		line("\n%s", w.heading())
		for _, p := range w.Privileges {
			who := "the pod"
			if len(p.Containers) > 0 {
				var names []string
				for _, c := range p.Containers {
					names = append(names, plainName(c))
				}
				who = byNumber(len(names), "container ", "containers ") + generate.FirstFew(names)
			}
			text := fmt.Sprintf("  %-8s  %s", p.Severity, plainName(p.Line))
			if whole := text + " by " + who; widthOf(whole) <= columns {
				line("%s", whole)
			} else {
				line("%s", text)
				line("    by %s", who)
			}
			for _, f := range p.Fields {
				for _, part := range folded(plainName(f), columns-4) {
					line("    %s", part)
				}
			}
		}
	}
	return []byte(out.String())
}

// folded returns the path of a field in lines of at most n columns, broken before a dot
// where there is one: each line but the first is indented.
func folded(path string, n int) []string {
	const indent = "  "
	var lines []string
	for widthOf(path) > n {
		end, wide := 0, 0
		for i, r := range path {
			if wide += widthOf(string(r)); wide > n {
				break
			}
			end = i
		}
		if at := strings.LastIndex(path[:end], "."); at > len(indent) {
			end = at
		}
		lines, path = append(lines, path[:end]), indent+path[end:]
	}
	return append(lines, path)
}

func byNumber(n int, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}

// Rows returns a row for each finding, below one with titles, for a table of any width.
func (r FindingReport) Rows() [][]string {
	rows := [][]string{{"NAMESPACE", "WORKLOAD", "CONTAINER", "SEVERITY", "RULE", "SUBJECT", "REMEDY", "CONFIDENCE"}}
	for _, w := range r.worstFirst() {
		for _, f := range w.Findings {
			remedy, confidence := f.mends(), "<none>"
			if f.Remedy != nil {
				confidence = f.Remedy.Confidence.Text()
			}
			rows = append(rows, []string{
				w.Namespace, w.Kind + "/" + w.Name, orDash(f.Container), string(f.Severity), f.Rule, f.Subject, remedy, confidence,
			})
		}
	}
	for _, i := range r.Images {
		for _, f := range i.Findings {
			rule, _ := ruleOf(f.Rule)
			rows = append(rows, []string{"-", "image " + i.Image, "-", string(f.Severity), f.Rule, f.text(plainName), rule.Remedy, "<none>"})
		}
	}
	return rows
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// mends says what mends a finding: the fields to change, or what else to do.
func (f Finding) mends() string {
	if f.Remedy == nil {
		rule, _ := ruleOf(f.Rule)
		return rule.Remedy
	}
	var changes []string
	for _, c := range f.Remedy.Changes {
		changes = append(changes, textOf(c))
	}
	return strings.Join(changes, "; ")
}

// textOf returns a change in words: "PATH: VALUE" or "remove PATH".
func textOf(c finding.Change) string {
	if c.Remove {
		return "remove " + c.Path
	}
	value, err := json.Marshal(c.Value)
	if err != nil {
		value = fmt.Append(nil, c.Value)
	}
	if s, ok := c.Value.(string); ok {
		value = []byte(s)
	}
	return c.Path + ": " + string(value)
}
