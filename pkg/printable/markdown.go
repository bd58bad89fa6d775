package printable

import "strings"

// CodeSpan returns printable text as inline code of Markdown, in which nothing else is
// Markdown or HTML. The fence is longer than any run of backticks in it (CommonMark 0.31,
// 6.1).
func CodeSpan(s string) string {
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
