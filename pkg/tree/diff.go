package tree

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff returns the changes as a unified diff that is safe to print: what is not
// printable is escaped as in Go, whatever the files hold.
func (p *Plan) Diff() []byte {
	var out bytes.Buffer
	for _, c := range p.changes {
		// A line end in a name would begin a line of the diff.
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

// printable escapes what could drive a terminal, overwrite a line, change the
// reading direction or be invisible. Lines and tabs stay.
func printable(text []byte) []byte {
	var out bytes.Buffer
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		char := text[:size]
		text = text[size:]
		invalid := r == utf8.RuneError && size == 1
		// Letters and marks without a width of their own are printable to Go.
		invisible := unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
		if r == '\n' || r == '\t' || unicode.IsPrint(r) && !invalid && !invisible {
			out.Write(char)
		} else {
			out.WriteString(strings.Trim(strconv.QuoteToASCII(string(char)), `"`))
		}
	}
	return out.Bytes()
}
