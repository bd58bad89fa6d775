package tree

import (
	"bytes"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff returns the changes as a unified diff.
func (p *Plan) Diff() []byte {
	var out bytes.Buffer
	for _, file := range p.Changed() {
		before, after := p.old[file], p.changes[file]
		oldName, newName := "a/"+file, "b/"+file
		if before == nil {
			oldName = "/dev/null"
		}
		if after == nil {
			newName = "/dev/null"
		}
		out.Write(diff.Diff(oldName, before, newName, after))
	}
	return out.Bytes()
}
