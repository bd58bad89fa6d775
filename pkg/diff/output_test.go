package diff_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/diff"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

var hostile = []string{
	"", " ", "a b", "`", "``x`", "|", "*", "_a_", "<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](http://x)", "@all", "#1",
	"\n", "a\n\n# x", "\r\nb", "\x1b[31m", "\u202egol", "\u200b", "\xff", "a\u3164b", strings.Repeat("long", 1000), `"`, `\`, "%0A", "../x", "é",
}

// changed returns changes of a workload whose strings are all the same.
func changed(s string, state diff.State) diff.Change {
	p := diff.Privilege{Line: "hostPath " + strings.ReplaceAll(s, "\n", `\n`), Severity: privilege.High, Containers: []string{s}, Other: []string{s, s}}
	return diff.Change{
		Workload: aggregate.Workload{Namespace: s, Kind: "Deployment", Name: s}, State: state,
		Escalated: []diff.Privilege{p}, Reduced: []diff.Privilege{p}, Spread: []diff.Privilege{p}, Withdrawn: []diff.Privilege{p},
		BaseAccounts: []string{s}, HeadAccounts: []string{s, s}, Place: &observe.Place{File: s, Line: 3},
	}
}

// Whatever the strings are, the output has the same lines, and nothing that is not
// printable.
func TestOutputOfHostileStrings(t *testing.T) {
	plain := []diff.Change{changed("x", diff.Changed)}
	for _, s := range hostile {
		changes := []diff.Change{changed(s, diff.Changed)}
		for name, write := range map[string]func([]diff.Change) ([]byte, error){
			"text":     func(c []diff.Change) ([]byte, error) { return diff.Text(c), nil },
			"markdown": func(c []diff.Change) ([]byte, error) { return diff.Markdown(c), nil },
			"json":     func(c []diff.Change) ([]byte, error) { return diff.JSON(s, s, c) },
			"sarif":    diff.SARIF,
		} {
			got, err := write(changes)
			want, plainErr := write(plain)
			if err != nil || plainErr != nil {
				t.Fatalf("%s of %q: %v, %v", name, s, err, plainErr)
			}
			if g, w := bytes.Count(got, []byte("\n")), bytes.Count(want, []byte("\n")); g != w && s != "" {
				t.Errorf("%s of %q: %d lines, want %d:\n%s", name, s, g, w, got)
			}
			if clean := printable.Lines(got); !bytes.Equal(clean, got) || !utf8.Valid(got) {
				t.Errorf("%s of %q is not printable:\n%q", name, s, got)
			}
			if len(got) > 20*len(want)+20_000 {
				t.Errorf("%s of a string of %d bytes has %d bytes", name, len(s), len(got))
			}
		}
	}
}

// Outside of code spans, Markdown has no string of a cluster.
func TestMarkdownKeepsStringsInCode(t *testing.T) {
	strip := func(text string) string {
		var out strings.Builder
		for text != "" {
			start := strings.IndexByte(text, '`')
			if start < 0 {
				out.WriteString(text)
				break
			}
			out.WriteString(text[:start])
			text = text[start:]
			fence := text[:len(text)-len(strings.TrimLeft(text, "`"))]
			rest := text[len(fence):]
			// The closing fence is a run of exactly that length.
			end := 0
			for {
				i := strings.Index(rest[end:], fence)
				if i < 0 {
					return "no end: " + text
				}
				end += i
				run := len(rest[end:]) - len(strings.TrimLeft(rest[end:], "`"))
				if run == len(fence) {
					break
				}
				end += run
			}
			out.WriteString("``")
			text = rest[end+len(fence):]
		}
		return out.String()
	}
	want := strip(string(diff.Markdown([]diff.Change{changed("x", diff.Changed)})))
	for _, s := range hostile {
		if got := strip(string(diff.Markdown([]diff.Change{changed(s, diff.Changed)}))); got != want {
			t.Errorf("%q is outside of code:\n%s", s, got)
		}
	}
}

// A comment is bounded, and says what was cut off.
func TestMarkdownIsBounded(t *testing.T) {
	var changes []diff.Change
	for i := range 2000 {
		c := changed(fmt.Sprintf("w%d", i), diff.Changed)
		if i%2 == 0 {
			c.Escalated = nil
		}
		changes = append(changes, c)
	}
	got := string(diff.Markdown(changes))
	if len(got) > 60_000 || !strings.Contains(got, "Escalated: ") || !strings.Contains(got, "Other changes: 1000 more workloads, which do not fit here") {
		t.Errorf("%d bytes, ends with %q", len(got), got[len(got)-200:])
	}
	if !strings.HasPrefix(got, "### Privileges: 1000 workloads escalated, 1000 reduced\n") {
		t.Errorf("begins with %.100q", got)
	}
}

func TestCountOf(t *testing.T) {
	critical, high := diff.Privilege{Severity: privilege.Critical}, diff.Privilege{Severity: privilege.High}
	for _, tc := range []struct {
		changes []diff.Change
		want    string
	}{
		{nil, "no workload differs"},
		{[]diff.Change{{State: diff.Changed, Escalated: []diff.Privilege{high}}}, "1 workload escalated"},
		{
			[]diff.Change{{State: diff.Added, Escalated: []diff.Privilege{high, critical}}, {State: diff.Changed, Escalated: []diff.Privilege{high}}, {State: diff.Added}, {State: diff.Removed}},
			"2 workloads escalated (1 critical), 1 new within what others ask for, 1 removed",
		},
		{
			[]diff.Change{{State: diff.Changed, Reduced: []diff.Privilege{critical}}, {State: diff.Changed, Reduced: []diff.Privilege{critical}}, {State: diff.Changed, Spread: []diff.Privilege{critical}}},
			"2 workloads reduced, 1 changed within what they ask for",
		},
	} {
		if got := diff.CountOf(tc.changes).String(); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}
