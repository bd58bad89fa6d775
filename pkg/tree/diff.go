package tree

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff returns the changes as a unified diff that is safe to print: characters that
// are not printable are escaped as in Go.
func (p *Plan) Diff() []byte {
	var out bytes.Buffer
	for _, c := range p.changes {
		// A line feed in a name would start a line of the diff.
		name := strings.ReplaceAll(c.file, "\n", `\n`)
		oldName, newName := "a/"+name, "b/"+name
		if c.before == nil {
			oldName = "/dev/null"
		}
		if c.after == nil {
			newName = "/dev/null"
		}
		out.Write(printable(diff.Diff(oldName, c.before, newName, c.after)))
	}
	return out.Bytes()
}

// printable escapes characters that could control a terminal, overwrite a line, change
// the reading direction or be invisible. It keeps line feeds and tabs.
func printable(text []byte) []byte {
	var out bytes.Buffer
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		char := text[:size]
		text = text[size:]
		invalid := r == utf8.RuneError && size == 1
		// For Go, letters and marks without a width are printable.
		invisible := unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
		if r == '\n' || r == '\t' || unicode.IsPrint(r) && !invalid && !invisible {
			out.Write(char)
		} else {
			out.WriteString(strings.Trim(strconv.QuoteToASCII(string(char)), `"`))
		}
	}
	return out.Bytes()
}
