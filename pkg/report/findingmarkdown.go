package report

import (
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

// maxMarkdown is the size of a comment in bytes: GitHub takes 65,536 characters, and
// GitLab more.
const maxMarkdown = 60_000

// code returns a string of a cluster as inline code.
func code(s string) string { return printable.CodeSpan(plainName(s)) }

// maxPreface is how much of a comment may be about gaps, and how much about namespaces: the
// rest is for what is wrong with workloads and images.
const maxPreface = maxMarkdown / 6

// Markdown returns the report as a comment on a change request, in at most maxMarkdown
// bytes: the worst workloads come first, and it says how much did not fit.
func (r FindingReport) Markdown() []byte {
	var out strings.Builder
	fmt.Fprintf(&out, "### Findings: %s\n", r.headline())
	if r.Why != "" {
		fmt.Fprintf(&out, "\nAbout %s\n", code(r.Why))
	}
	const rest = 200 // for what did not fit
	cut, used := map[string]int{}, map[string]int{}
	limits := map[string]int{"gaps": maxPreface, "namespaces": maxPreface, "workloads": maxMarkdown, "images": maxMarkdown}
	add := func(what, text string) {
		used[what] += len(text)
		if cut[what] > 0 || used[what] > limits[what] || out.Len()+len(text) > maxMarkdown-rest {
			cut[what]++
			return
		}
		out.WriteString(text)
	}
	for i, g := range r.Gaps {
		if i == 0 {
			add("gaps", "\n")
		}
		add("gaps", "- not observed: "+code(g)+"\n")
	}
	for i, n := range r.Namespaces {
		if i == 0 {
			add("namespaces", "\n**Pod Security**\n\n")
		}
		var text strings.Builder
		text.WriteString("- " + code(n.Name) + ": " + n.Level)
		if len(n.HeldBack) > 0 {
			text.WriteString(", not " + n.HeldBack[0].Level + ": " + heldBack(n.HeldBack, code))
		}
		for _, c := range n.Timeline {
			text.WriteString("; " + c.String() + " because of " + heldBack(c.HeldBack, code))
		}
		if n.Level != "" {
			add("namespaces", text.String()+"\n")
		}
	}
	first := true
	for _, w := range r.worstFirst() {
		if len(w.Findings) == 0 && r.Why == "" {
			continue
		}
		text := w.markdown()
		if first {
			text = "\n**Workloads**\n\n" + text
			first = false
		}
		add("workloads", text)
	}
	for i, image := range r.Images {
		var text strings.Builder
		if i == 0 {
			text.WriteString("\n**Images**\n\n")
		}
		text.WriteString("- " + code(image.Image) + "\n")
		for _, f := range image.Findings {
			fmt.Fprintf(&text, "  - **%s** %s: %s\n", f.Severity, f.Rule, f.text(code))
		}
		add("images", text.String())
	}
	for _, what := range []string{"gaps", "namespaces", "workloads", "images"} {
		if n := cut[what]; n > 0 {
			fmt.Fprintf(&out, "\n%d more %s, which do not fit here\n", n, what)
		}
	}
	return []byte(out.String())
}

func (w FindingWorkload) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "- %s %s", code(w.Namespace), code(w.Kind+"/"+w.Name))
	if w.File != "" {
		out.WriteString(", " + code(fmt.Sprintf("%s:%d", w.File, w.Line)))
	}
	out.WriteString("\n")
	for _, p := range w.Privileges {
		for _, field := range p.Fields {
			fmt.Fprintf(&out, "  - %s by %s\n", code(p.Line), code(field))
		}
	}
	for _, g := range grouped(w.Findings) {
		fmt.Fprintf(&out, "  - **%s** %s: %s", g.Severity, g.Rule, g.who(code))
		switch rule, _ := ruleOf(g.Rule); {
		case g.Remedy == nil:
			out.WriteString(". " + rule.Remedy)
		case len(g.containers) > 1:
			fmt.Fprintf(&out, ". %s (%s)", rule.Remedy, g.Remedy.Confidence.Text())
		default:
			fmt.Fprintf(&out, ". %s (%s)", code(g.mends()), g.Remedy.Confidence.Text())
		}
		out.WriteString("\n")
	}
	return out.String()
}
