// Package printable makes strings of a cluster safe to show.
//
// Any string goes in, valid UTF-8 or not; text comes out in which every character
// is printable: none begins a line, drives a terminal, changes the reading
// direction or hides. Laws, each tested:
//   - Text of printable text is that text.
//   - JSON means the same before and after.
package printable

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text returns s with Go's escape in place of each character that is not
// printable.
func Text(s string) string {
	var out strings.Builder
	for i, r := range s {
		switch _, size := utf8.DecodeRuneInString(s[i:]); {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			out.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return out.String()
}

// Short is Text of at most n characters, and of one more, an ellipsis, when there
// are more of them.
func Short(s string, n int) string {
	if most := utf8.UTFMax * (n + 1); len(s) > most {
		s = s[:most] // what follows is not shown, and may be long
	}
	text := []rune(Text(s))
	if len(text) > n {
		return string(text[:n]) + "…"
	}
	return string(text)
}

// Line is the text in one line of at most n characters: white space of any kind
// becomes a single space.
func Line(s string, n int) string { return Short(strings.Join(strings.Fields(s), " "), n) }

// JSON escapes what is not printable in JSON text, where it can stand within
// strings only. encoding/json escapes ASCII control characters alone.
func JSON(data []byte) []byte {
	if !bytes.ContainsFunc(data, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		return data
	}
	var out bytes.Buffer
	for _, r := range string(data) {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}
