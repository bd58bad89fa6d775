package app

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// How an engine restricts an attribute of pods.
const (
	exact    = "exact"      // to what was observed
	wider    = "wider"      // to a level that has what was observed
	notAtAll = "not at all" // whatever was observed
)

// restricts returns how an engine restricts an attribute. A test of each engine shows
// that its policies depend on all attributes but those that it names.
func (e engine) restricts(attribute string) string {
	built := e.build(engineOptions{})
	switch {
	case slices.Contains(built.Inexpressible, attribute):
		return notAtAll
	case built.Levels:
		return wider
	default:
		return exact
	}
}

// titles are what people read instead of the names of attributes that promise more than
// the attributes are about: what debug containers ask for is in the other ones, and so are
// profiles of seccomp that fields name.
var titles = map[string]string{
	"ephemeralContainers": "names of ephemeral containers",
	"seccomp":             "seccomp annotations",
}

func titleOf(attribute string) string { return cmp.Or(titles[attribute], attribute) }

// restrictionTable returns, in Markdown, how each engine restricts each attribute.
func restrictionTable(table []engine) string {
	var text strings.Builder
	text.WriteString("| attribute |")
	for _, e := range table {
		fmt.Fprintf(&text, " `%s` |", e.name)
	}
	text.WriteString("\n|---|" + strings.Repeat("---|", len(table)) + "\n")
	for _, attribute := range profile.Attributes() {
		fmt.Fprintf(&text, "| %s |", titleOf(attribute))
		for _, e := range table {
			fmt.Fprintf(&text, " %s |", e.restricts(attribute))
		}
		text.WriteString("\n")
	}
	return text.String()
}

// limits returns a line for each engine with what its policies cannot restrict, for
// the help of the commands.
func limits(table []engine) string {
	lines := []string{"What the policies of an engine cannot restrict:"}
	for _, e := range table {
		names := e.build(engineOptions{}).Inexpressible
		var sorted []string
		for _, attribute := range profile.Attributes() {
			if slices.Contains(names, attribute) {
				sorted = append(sorted, titleOf(attribute))
			}
		}
		lines = append(lines, wrap(fmt.Sprintf("  %-11s", e.name), strings.Join(sorted, ", ")))
	}
	return strings.Join(lines, "\n")
}

// wrap breaks a list of words into lines of at most 100 characters: the first after
// first, the others below it.
func wrap(first, words string) string {
	const width = 100
	var lines []string
	line, indent := first, strings.Repeat(" ", len(first))
	for word := range strings.FieldsSeq(words) {
		if len(line)+1+len(word) > width {
			lines, line = append(lines, line), indent
		}
		line += " " + word
	}
	return strings.Join(append(lines, line), "\n")
}
