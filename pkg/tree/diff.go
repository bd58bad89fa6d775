package tree

import (
	"bytes"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
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
		out.Write(printable.Lines(diff.Diff(oldName, c.before, newName, c.after)))
	}
	return out.Bytes()
}
