package html

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/report"
)

// families are the groups of rules, which are the columns of the heat map.
var families = []struct {
	name  string
	rules []string
}{
	{"Root of the node", []string{"privileged", "host-process", "capability-added"}},
	{"Host files", []string{"host-path", "host-path-write", "bidirectional-mount"}},
	{"Host namespaces", []string{"host-ipc", "host-network", "host-pid", "host-port"}},
	{"Confinement", []string{"apparmor-unconfined", "proc-mount", "seccomp-unconfined", "seccomp-unset", "sysctl"}},
	{"Users", []string{"root-user", "run-as-non-root"}},
	{"Capabilities", []string{"default-capabilities", "privilege-escalation"}},
	{"Accounts", []string{"default-account", "default-account-token", "shared-account"}},
	{"Images and files", []string{"image-tag", "secret-env", "writable-root"}},
	{others, nil},
}

// others is the family of the other rules.
const others = "Others"

// familyOf returns the index of the family of a rule.
func familyOf(rule string) int {
	for i, f := range families {
		if slices.Contains(f.rules, rule) {
			return i
		}
	}
	return len(families) - 1
}

// ruleFamily is a family with those of its rules that are broken.
type ruleFamily struct {
	Name  string
	Rules []brokenRule
}

type brokenRule struct {
	finding.Rule
	Workloads int
}

// families returns the families of the rules of the report.
func (p *parts) families(r report.FindingReport) []ruleFamily {
	var list []ruleFamily
	for i, f := range families {
		family := ruleFamily{Name: f.name}
		for _, rule := range r.Rules {
			if familyOf(rule.ID) == i {
				shown := rule
				for _, s := range []*string{&shown.ID, &shown.Title, &shown.Why, &shown.Remedy, &shown.PodSecurity, &shown.CIS} {
					*s = text(*s)
				}
				family.Rules = append(family.Rules, brokenRule{shown, p.workloads[rule.ID]})
			}
		}
		if len(family.Rules) > 0 {
			slices.SortStableFunc(family.Rules, func(a, b brokenRule) int {
				return cmp.Or(b.Severity.Compare(a.Severity), cmp.Compare(a.ID, b.ID))
			})
			list = append(list, family)
		}
	}
	return list
}

// heatmap has the numbers of findings by namespace and family, the worst namespaces first.
type heatmap struct {
	// Columns are the families that have findings.
	Columns []string
	Rows    []heatRow
	// More are the namespaces that have no row; Rest has their sums.
	More int
	Rest []cell
}

type heatRow struct {
	ID, Namespace string
	Cells         []cell
}

// cell is a number of findings with the worst severity.
type cell struct {
	Count int
	Worst privilege.Severity
}

func (c *cell) add(n int, worst privilege.Severity) {
	if n > 0 && (c.Count == 0 || worst.Compare(c.Worst) > 0) {
		c.Worst = worst
	}
	c.Count += n
}

// heatRows is how many namespaces have a row.
const heatRows = 60

// add adds a namespace, which is not worse than those before.
func (h *heatmap) add(n namespace, workloads []report.FindingWorkload) {
	if h.Rest == nil {
		h.Rest = make([]cell, len(families))
	}
	row := heatRow{ID: n.ID, Namespace: n.Name, Cells: make([]cell, len(families))}
	for _, w := range workloads {
		for _, f := range w.Findings {
			row.Cells[familyOf(f.Rule)].add(1, f.Severity)
		}
	}
	if len(h.Rows) < heatRows {
		h.Rows = append(h.Rows, row)
		return
	}
	h.More++
	for i, c := range row.Cells {
		h.Rest[i].add(c.Count, c.Worst)
	}
}

// finish removes the columns without findings.
func (h *heatmap) finish() {
	used := make([]bool, len(families))
	for _, row := range append([]heatRow{{Cells: h.Rest}}, h.Rows...) {
		for i, c := range row.Cells {
			used[i] = used[i] || c.Count > 0
		}
	}
	keep := func(cells []cell) []cell {
		var list []cell
		for i, c := range cells {
			if used[i] {
				list = append(list, c)
			}
		}
		return list
	}
	for i := range h.Rows {
		h.Rows[i].Cells = keep(h.Rows[i].Cells)
	}
	h.Rest = keep(h.Rest)
	for i, f := range families {
		if used[i] {
			h.Columns = append(h.Columns, f.name)
		}
	}
}

// String returns the cell in words.
func (c cell) String() string {
	return fmt.Sprintf("%s, worst: %s", report.Count(c.Count, "finding"), word(c.Worst))
}
