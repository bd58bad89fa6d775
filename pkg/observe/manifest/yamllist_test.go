package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A List is the same, parsed item by item or as a whole.
func TestParseList(t *testing.T) {
	const item = "- a: b\n"
	for _, tc := range []struct {
		name, text string
		byItem     bool
	}{
		{"as kubectl prints it", "apiVersion: v1\nitems:\n" + item + item + "kind: List\nmetadata:\n  resourceVersion: \"\"\n", true},
		{"the type first", "apiVersion: v1\nkind: List\nitems:\n" + item + "-\n  c: d\n- e\n- ~\n-\n-", true},
		{"comments and empty lines", "items:\n" + item + "\n# x\n  # y\n" + item + "\n#z\nkind: List\n", true},
		{"blocks", "items:\n- a: |\n   x\n    - y\n- b: >+\n\n   x\n\n\n- |\n- c: |2-\n      x\n", true},
		{"a block that a dash is part of", "items:\n- a: b\nb: |\n  x\n- y\n", false},
		{"a string that a dash is part of", "items:\n- a: \"x\n- y\"\n" + item, false},
		{"brackets that a dash is part of", "items:\n- [x,\n- y]\n", false},
		{"a string around the items", "a: \"\nitems:\n- x\n\"\nitems: []\n", false},
		{"a block around the items", "a: |\nitems:\n- x\n", false},
		{"a plain string in several lines", "items:\n- a\n  b\n- c: d\n   - e\n", true},
		{"a tab", "items:\n- a\n-\tb\n", false},
		{"carriage returns", "items:\n- a\r\n- b\r\nkind: List\r\n", true},
		{"carriage returns alone", "items:\n- a\r- b\n", false},
		{"items indented", "items:\n  - a\n  - b\n", false},
		{"items in brackets", "items: [a, b]\n", false},
		{"aliases", "items:\n- &x a\n- *x\n", false},
		{"a key given twice", "items:\n- {a: b, a: c}\n", false},
		{"items given twice", "items:\n- a\nitems:\n- b\n", false},
		{"a directive", "items:\n- a\n%YAML 1.1\n- b\n", false},
		{"a broken item", "items:\n- a: [\n- b\n", false},
		{"no list", "items:\n- a\nb\n", false},
		{"keys marked as such", "items:\n- ? a\n  : b\n- ? c\n- {? d : e}\n", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := textDocument(tc.text).parseList()
			if (err == nil) != tc.byItem {
				t.Fatalf("parsed by item: %s, %v, want %t", got, err, tc.byItem)
			}
			if err != nil {
				return
			}
			checkParsed(t, tc.text, got)
		})
	}
}

// checkParsed compares the JSON form of a List with what the parser makes of the whole.
func checkParsed(t *testing.T, text string, got []byte) {
	t.Helper()
	// Below the first line, it is not taken for one whose items are parsed for themselves.
	want, twice, err := textDocument("a.b: c\n" + text).parse()
	if err != nil || len(twice) > 0 {
		t.Fatalf("parsed by item: %s, as a whole: %v, given twice %q", got, err, twice)
	}
	if diff := cmp.Diff(strings.Replace(string(want), `"a.b":"c",`, "", 1), string(got)); diff != "" {
		t.Fatalf("JSON of\n%s(-whole +by item):\n%s", text, diff)
	}
}

func FuzzParseList(f *testing.F) {
	for _, s := range []string{
		"a: b\n- c:\n    d\n", "- a: |\n   x\n - y\n- 'b\n\n- c'\n", "- a\n# x\n- [b,\n- c]\n", "- !!str a\n-\tb\n- ? c\n- : d\n", "-\n- - a\n  - b\n- {<<: {a: b}}\nb: \"c\n- d\"\n", "- a: >+\n\n\n- b\r- c\u2028- d\nkind: List\n",
		"- 1\n- a: 'x\n- y'\nitems:\n", "- a: {b: c\n- d: }\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, items string) {
		text := "items:\n- " + items
		if strings.ContainsAny(text, "\x00") || hasMarker([]byte(text)) || strings.Contains(items, "a.b") {
			return
		}
		if got, err := textDocument(text).parseList(); err == nil {
			checkParsed(t, text, got)
		}
	})
}
