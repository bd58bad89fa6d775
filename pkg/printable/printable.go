// Package printable escapes strings of a cluster so that they are safe to print.
//
// Input is any string, valid UTF-8 or not; output is text with printable characters
// only: none starts a line, controls a terminal, changes the reading direction or is
// invisible. Laws, each tested:
//   - Text does not change printable text.
//   - JSON does not change the meaning of JSON text.
//   - Lines keeps line feeds and tabs, and no other control character.
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

// IsPrint reports whether a character can be printed as it is. Unlike for Go, letters
// and marks without a width cannot.
func IsPrint(r rune) bool {
	if r < utf8.RuneSelf {
		return ' ' <= r && r <= '~'
	}
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Text returns s with each character that is not printable replaced by its Go
// escape.
func Text(s string) string { return escape(s, "") }

// Lines returns Text of each line of text, with its tabs.
func Lines(text []byte) []byte { return []byte(escape(string(text), "\n\t")) }

// escape replaces each character that is neither printable nor in keep.
func escape(s, keep string) string {
	if isPlain(s) {
		return s
	}
	var out strings.Builder
	for i, r := range s {
		switch _, size := utf8.DecodeRuneInString(s[i:]); {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, s[i])
		case IsPrint(r) || strings.ContainsRune(keep, r):
			out.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return out.String()
}

// isPlain reports whether s has printable ASCII characters only, as nearly all names have.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || '~' < s[i] {
			return false
		}
	}
	return true
}

// Short returns the first n characters of Text, followed by an ellipsis if there are
// more.
func Short(s string, n int) string {
	if len(s) <= n && isPlain(s) {
		return s
	}
	if most := utf8.UTFMax * (n + 1); len(s) > most {
		s = s[:most] // the rest, which may be long, is not printed
	}
	text := []rune(Text(s))
	if len(text) > n {
		return string(text[:n]) + "…"
	}
	return string(text)
}

// Line returns Short of s with each run of white space replaced by one space.
func Line(s string, n int) string { return Short(strings.Join(strings.Fields(s), " "), n) }

// JSON escapes the characters of JSON text that are not printable, which can only be
// inside strings. encoding/json escapes only ASCII control characters.
func JSON(data []byte) []byte {
	if !bytes.ContainsFunc(data, func(r rune) bool { return r != '\n' && !IsPrint(r) }) {
		return data
	}
	var out bytes.Buffer
	for _, r := range string(data) {
		switch {
		case r == '\n' || IsPrint(r):
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
