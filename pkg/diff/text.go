package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

// maxName is how much of a string of a cluster is printed, in characters.
const maxName = 200

// Text returns changes for people: a line for each workload, and one below it for each
// privilege, the worst first.
func Text(changes []Change) []byte {
	var out strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&out, "%s%s%s\n", printable.Line(c.Workload.Namespace+" "+c.Workload.String(), maxName), note(c.State), at(c.Place, plainName))
		for _, f := range c.facts() {
			fmt.Fprintf(&out, "  %s %-8s  %s\n", f.mark, f.severity, f.text(plainName))
		}
	}
	return []byte(out.String())
}

func note(s State) string {
	switch s {
	case Added:
		return " (new)"
	case Removed:
		return " (removed)"
	case Unpermitted:
		return " (no permits for its service account)"
	default:
		return ""
	}
}

// at says where a workload stands.
func at(p *observe.Place, name func(string) string) string {
	switch {
	case p == nil:
		return ""
	case p.Line == 0:
		return ", " + name(p.File)
	default:
		return ", " + name(fmt.Sprintf("%s:%d", p.File, p.Line))
	}
}

// fact is a line about a workload.
type fact struct {
	// mark is + for an escalation, - for a reduction, and ~ for what makes no difference to
	// the workload as a whole.
	mark     string
	severity string
	words    []word
}

// word is a part of a fact: our own text, or a string of a cluster.
type word struct {
	text  string
	named bool
}

func (f fact) text(name func(string) string) string {
	var out strings.Builder
	for _, w := range f.words {
		if w.named {
			out.WriteString(name(w.text))
		} else {
			out.WriteString(w.text)
		}
	}
	return out.String()
}

func plainName(s string) string { return printable.Line(s, maxName) }

// facts returns what there is to say, the escalations first, the worst of each kind first.
func (c Change) facts() []fact {
	var facts []fact
	for _, kind := range []struct {
		mark, end  string
		privileges []Privilege
	}{
		{"+", "", c.Escalated},
		{"-", "", c.Reduced},
		{"~", ", as another container did", c.Spread},
		{"~", " no longer, but another container does", c.Withdrawn},
	} {
		for _, p := range worstFirst(kind.privileges) {
			f := p.fact(kind.mark)
			switch {
			case kind.end != "":
				f.words = append(f.words, word{kind.end, false})
			case kind.mark == "+" && c.State == Added:
				f.list("; others ask for ", "; others ask for ", p.Other)
			case kind.mark == "+":
				f.list("; before: ", "; before: ", p.Other)
			}
			facts = append(facts, f)
		}
	}
	if len(c.BaseAccounts)+len(c.HeadAccounts) > 0 {
		f := fact{mark: "~", severity: string(privilege.Info), words: []word{{"runs under ", false}}}
		f.list("service account ", "service accounts ", c.HeadAccounts)
		f.list("; before: ", "; before: ", c.BaseAccounts)
		facts = append(facts, f)
	}
	return facts
}

// fact returns the fact that a privilege is asked for, or no longer is.
func (p Privilege) fact(mark string) fact {
	f := fact{mark: mark, severity: string(p.Severity), words: []word{{p.Line, true}}}
	f.list(" (container ", " (containers ", p.Containers)
	if len(p.Containers) > 0 {
		f.words = append(f.words, word{")", false})
	}
	return f
}

// maxNames is how many names are printed of a list.
const maxNames = 5

// list adds a list of names after the words for one or for several.
func (f *fact) list(one, several string, names []string) {
	if len(names) == 0 {
		return
	}
	lead := several
	if len(names) == 1 {
		lead = one
	}
	f.words = append(f.words, word{lead, false})
	for i, n := range names[:min(len(names), maxNames)] {
		if i > 0 {
			f.words = append(f.words, word{", ", false})
		}
		f.words = append(f.words, word{n, true})
	}
	if more := len(names) - maxNames; more > 0 {
		f.words = append(f.words, word{fmt.Sprintf(" and %d more", more), false})
	}
}

func worstFirst(list []Privilege) []Privilege {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b Privilege) int { return b.Severity.Compare(a.Severity) })
	return sorted
}
