package diff

import (
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

// maxMarkdown is the size of a comment in bytes: GitHub takes 65,536 characters, and
// GitLab more.
const maxMarkdown = 60_000

// Markdown returns changes as a comment on a change request, in at most maxMarkdown bytes:
// what escalates comes first, and it says how many workloads were cut off.
func Markdown(changes []Change) []byte {
	var out strings.Builder
	out.WriteString("### Privileges: " + CountOf(changes).String() + "\n")
	const rest = 200 // for what was cut off
	for _, part := range []struct {
		title string
		in    func(Change) bool
	}{
		{"Escalated", func(c Change) bool { return len(c.Escalated) > 0 }},
		{"Other changes", func(c Change) bool { return len(c.Escalated) == 0 }},
	} {
		titled, cut := false, 0
		for _, c := range changes {
			if !part.in(c) {
				continue
			}
			text := c.markdown()
			if !titled {
				text = "\n**" + part.title + "**\n\n" + text
			}
			if cut > 0 || out.Len()+len(text) > maxMarkdown-rest {
				cut++
				continue
			}
			titled = true
			out.WriteString(text)
		}
		if cut > 0 {
			fmt.Fprintf(&out, "\n%s: %d more workloads, which do not fit here\n", part.title, cut)
		}
	}
	return []byte(out.String())
}

// code returns a string of a cluster as inline code.
func code(s string) string { return printable.CodeSpan(plainName(s)) }

func (c Change) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "- %s %s%s%s\n", code(c.Workload.Namespace), code(c.Workload.String()), note(c.State), at(c.Place, code))
	for _, f := range c.facts() {
		fmt.Fprintf(&out, "  - %s **%s** %s\n", map[string]string{"+": "➕", "-": "➖", "~": "〰"}[f.mark], f.severity, f.text(code))
	}
	return out.String()
}
