package cel_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/parser"
	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

var hostileLiterals = []string{
	"", "a", `"`, `'`, `\`, `\"`, `"""`, `r"`, "`", `" + "`, `"] + object.spec.containers.map(c, c.name) + ["`, `") || true || ("`,
	"\n", "\r\n", "\t", "a\n[*]\nprivileged", "a\n\n[*]\n\nprivileged", "// x", "\x00", "\x07", "\x1b[31m", "\x7f", "\u0085", "\u2028", "\u202egol",
	"\ufeff", "\ufffd", "\U0001f600", "\U0010ffff", "\xff", "a\xc3", `\x41`, `\101`, `\u0041`, `\U00110000`, "%s", "{{.}}", "${x}",
}

// Whatever the string is, a literal parses to that string, and an expression with it to
// the same tree: nothing of the string becomes code.
func FuzzLiterals(f *testing.F) {
	for _, s := range hostileLiterals {
		f.Add(s)
	}
	p, err := parser.NewParser(parser.Macros(parser.AllMacros...), parser.ExpressionSizeCodePointLimit(100_000))
	if err != nil {
		f.Fatal(err)
	}
	parse := func(t *testing.T, expression string) ast.Expr {
		t.Helper()
		tree, errs := p.Parse(common.NewTextSource(expression))
		if len(errs.GetErrors()) > 0 {
			t.Fatalf("%s: %s", expression, errs.ToDisplayString())
		}
		return tree.Expr()
	}
	literal := func(t *testing.T, e ast.Expr) string {
		t.Helper()
		if e.Kind() != ast.LiteralKind {
			t.Fatalf("not a literal: kind %d", e.Kind())
		}
		s, ok := e.AsLiteral().Value().(string)
		if !ok {
			t.Fatalf("not a string: %v", e.AsLiteral())
		}
		return s
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := []string{string([]rune(s)), "end"}
		list := parse(t, "["+cel.Quote(s)+", "+cel.Quote("end")+"]")
		if list.Kind() != ast.ListKind {
			t.Fatalf("%q: not a list", s)
		}
		var got []string
		for _, e := range list.AsList().Elements() {
			got = append(got, literal(t, e))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", s, diff)
		}
		// The permits of a cluster are parts, and their sum. The last variable is the sum.
		table := cel.Table{Alternatives: []cel.Alternative{
			{Account: s, Permits: privilege.SetOf(s, "hostPID")}, {Account: strings.Repeat(s, 20_000/(utf8.RuneCountInString(s)+1)), Permits: privilege.SetOf("hostIPC")},
		}}
		variables := cel.LiteralText(table)
		var text strings.Builder
		for _, v := range variables[:len(variables)-1] {
			text.WriteString(literal(t, parse(t, v.Expression)))
		}
		if want := string([]rune(table.Text(false))); text.String() != want {
			t.Errorf("%q: the text of the table is %q", s, text.String())
		}
	})
}
