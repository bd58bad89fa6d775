package gatekeeper

import (
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
)

// The largest permits of a constraint: each takes about half of the budget of CEL, as
// measured with gator v3.23.1, so that the other half is for the pod.
const (
	// maxText is in bytes.
	maxText = 512 << 10
	// maxLines is for all alternatives of a service account together.
	maxLines = 2000
)

// fit returns the text of a table, without comments if they are too much, and what it
// gives up. Joining alternatives would not make it cheaper: a pod is compared with more
// lines then, where most alternatives differ from it in the first one.
func fit(t cel.Table) (text, compromise string) {
	text = t.Text(true)
	bytes, lines := len(text), longest(text)
	if bytes <= maxText && lines <= maxLines {
		return text, ""
	}
	text = t.Text(false)
	compromise = fmt.Sprintf("its permits have %d bytes, and %d lines for one service account, more than the %d and %d that leave enough of the CEL budget of Gatekeeper: it has no comments",
		bytes, lines, maxText, maxLines)
	if bytes, lines = len(text), longest(text); bytes > maxText || lines > maxLines {
		compromise += fmt.Sprintf(", and with %d bytes and %d lines Gatekeeper may refuse pods that are permitted", bytes, lines)
	}
	return text, compromise
}

// longest returns the number of lines of the account that has the most.
func longest(text string) int {
	lines := map[string]int{}
	most := 0
	for block := range strings.SplitSeq(text, "\n\n") {
		heading, _, _ := strings.Cut(block, "\n")
		lines[heading] += 1 + strings.Count(block, "\n")
		most = max(most, lines[heading])
	}
	return most
}
