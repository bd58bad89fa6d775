package diff

import (
	"fmt"
	"strings"
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

func (c Change) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "- %s %s%s%s\n", codeSpan(c.Workload.Namespace), codeSpan(c.Workload.String()), note(c.State), at(c.Place, codeSpan))
	for _, f := range c.facts() {
		fmt.Fprintf(&out, "  - %s **%s** %s\n", map[string]string{"+": "➕", "-": "➖", "~": "〰"}[f.mark], f.severity, f.text(codeSpan))
	}
	return out.String()
}

// codeSpan returns a string as inline code, in which nothing else is Markdown or HTML. The
// fence is longer than any run of backticks in it (CommonMark 0.31, 6.1).
func codeSpan(s string) string {
	s = plainName(s)
	longest, run := 0, 0
	for _, r := range s {
		run++
		if r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if longest > 0 || s == "" {
		s = " " + s + " "
	}
	return fence + s + fence
}
