package cel

import (
	"strconv"
	"strings"
)

// Quote returns the CEL literal of a string. Go's escapes of printable ASCII are those
// of CEL. A byte that is not UTF-8 becomes U+FFFD, as in JSON: \xff is another
// character in CEL.
func Quote(s string) string { return strconv.QuoteToASCII(string([]rune(s))) }

// list returns the literal of a list of strings.
func list(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = Quote(v)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
