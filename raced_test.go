package advisor_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestRaced: `make test` runs the tests of each package that starts goroutines, or is made
// for those of others, with the race detector. In the others it finds nothing, and takes
// minutes for it.
func TestRaced(t *testing.T) {
	raced := words(t, "RACED :=")
	for file, imported := range sources(t) {
		if !strings.HasPrefix(file, "pkg/") && !strings.HasPrefix(file, "cmd/") {
			continue // of the tools, some are other modules
		}
		if !slices.Contains(imported, "sync") && !slices.Contains(imported, "sync/atomic") && !startsGoroutine(t, file) {
			continue
		}
		folder := "./" + path.Dir(file)
		if !slices.ContainsFunc(raced, func(p string) bool {
			parent, all := strings.CutSuffix(p, "/...")
			return folder == parent || all && below(folder, parent)
		}) {
			t.Errorf("%s is concurrent: add %s to RACED in the Makefile", file, folder)
		}
	}
}

// startsGoroutine reports whether a file has a go statement.
func startsGoroutine(t *testing.T, file string) (starts bool) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		_, is := n.(*ast.GoStmt)
		starts = starts || is
		return !starts
	})
	return starts
}
