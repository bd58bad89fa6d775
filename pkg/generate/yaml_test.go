package generate

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"sigs.k8s.io/yaml"
)

// hostileStrings are those that mean something to YAML, to a terminal or to the eye.
var hostileStrings = []string{
	"", " ", "a", "true", "No", "null", "~", "1", "0x1f", "1e3", "1_000", "12:30:45", "2024-01-01", ".inf", "=", "<<",
	"*", "&a", "!tag", "- a", "? a", "a: b", "a:", "a #b", "#a", "@a", "`a", "%a", "{a}", "[a]", "|", ">-", "'", `"`, `\`, `a\n`,
	"---", "...", "--- a", "x\n---\napiVersion: v1\nkind: Pod", "x\nhostPID: true", "\n", "\r", "a\r\nb", "\t", "a\tb", " a", "a ",
	"seccomp.security.alpha.kubernetes.io/allowedProfileNames: x",
	"x\nseccomp.security.alpha.kubernetes.io/allowedProfileNames: x",
	strings.Repeat("long ", 40) + "seccomp.security.alpha.kubernetes.io/allowedProfileNames: x",
	"\x00", "\x07", "\x1b[31m", "\x1b]0;title\x07", "\x7f", "\u0085", "\u009b31m", "\u2028", "\u2029", "\ufeff", "\u202egol/rav/", "\u2066a\u2069",
	"\u200b", "a\u3164b\ufe0f", "\U000e0001", "\U0001f600", "é", "\ufffd", "\xff", "a\xc3",
}

func TestYAMLKeepsStrings(t *testing.T) {
	for _, s := range append(hostileStrings, strings.Repeat("\x1b", 2000)) {
		checkStrings(t, s)
	}
}

func FuzzYAML(f *testing.F) {
	for _, s := range hostileStrings {
		f.Add(s)
	}
	f.Fuzz(checkStrings)
}

// maxKey is how long YAML lets a key be on one line. The names in our objects are
// fields and annotations of our own, far shorter.
const maxKey = 1000

// checkStrings checks that YAML with s in every place reads back as it was, with a
// line per value and nothing in it that is not printable.
func checkStrings(t *testing.T, s string) {
	t.Helper()
	key := s
	if len(scalar(key)) > maxKey {
		key = "long"
	}
	object := map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{"a": s, key: "a"}},
		"spec":     map[string]any{"list": []any{s, "z", s}, "value": s, "maps": []any{map[string]any{"x": s, "y": true}, map[string]any{}}, "none": []any{}},
	}
	var out bytes.Buffer
	if err := writeYAML(&out, Object{Value: &object, Reasons: Reasons{"spec": {"why"}, "spec.list[1]": {"one", "two"}, "spec.maps[0]": {"three"}, "spec.maps[0].x": {"four"}}}); err != nil {
		t.Fatal(err)
	}
	got := out.Bytes()
	want, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	back, err := yaml.YAMLToJSONStrict(got)
	if err != nil {
		t.Fatalf("%q: %v in\n%s", s, err, got)
	}
	if diff := cmp.Diff(generic(t, want), generic(t, back)); diff != "" {
		t.Errorf("%q reads back as something else (-written +read):\n%s\n%s", s, diff, got)
	}
	if comments := strings.Count("\n"+string(got), "\n  # ") + strings.Count("\n"+string(got), "\n    # ") + strings.Count("\n"+string(got), "\n# "); comments != 5 {
		t.Errorf("%d of 5 comments are there:\n%s", comments, got)
	}
	lines := 14 // nine names, one annotation, three items and an empty map
	if key != "a" {
		lines++ // both annotations
	}
	values := 0
	for line := range strings.Lines(string(got)) {
		if !strings.HasPrefix(strings.TrimLeft(line, " "), "# ") {
			values++
		}
	}
	if values != lines {
		t.Errorf("%q: %d lines of values, want %d:\n%s", s, values, lines, got)
	}
	for name, data := range map[string][]byte{"YAML": got, "JSON": printable.JSON(want)} {
		if i := bytes.IndexFunc(data, func(r rune) bool { return r != '\n' && !printable.IsPrint(r) }); i >= 0 {
			t.Errorf("%q: %s holds %q, which is not printable", s, name, data[i:min(len(data), i+8)])
		}
	}
	if diff := cmp.Diff(generic(t, want), generic(t, printable.JSON(want))); diff != "" {
		t.Errorf("%q: JSON reads back as something else (-written +read):\n%s", s, diff)
	}
}

// A text is written as lines, and reads back as it was.
func TestYAMLText(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"a", "|-\n      a\n"},
		{"a\n", "|\n      a\n"},
		{"a: b\n\n# c\n---\n d\n", "|\n      a: b\n\n      # c\n      ---\n       d\n"},
		{"\na", `"\na"` + "\n"},
		{"a\n\n", `"a\n\n"` + "\n"},
		{" a", `" a"` + "\n"},
		{"a\r\nb", `"a\r\nb"` + "\n"},
		{"a\u202eb", `"a\u202eb"` + "\n"},
		{"", `""` + "\n"},
	} {
		object := map[string]any{"metadata": map[string]any{"annotations": map[string]any{"k": tc.text}}}
		var out bytes.Buffer
		if err := writeYAML(&out, Object{Value: &object, Text: []string{"metadata.annotations.k"}}); err != nil {
			t.Fatal(err)
		}
		if want := "metadata:\n  annotations:\n    k: " + tc.want; out.String() != want {
			t.Errorf("%q: got\n%s\nwant\n%s", tc.text, out.String(), want)
		}
		checkText(t, tc.text)
	}
}

func FuzzYAMLText(f *testing.F) {
	for _, s := range hostileStrings {
		f.Add(s)
		f.Add("a\n" + s + "\n\nb\n")
	}
	f.Fuzz(checkText)
}

func checkText(t *testing.T, text string) {
	t.Helper()
	object := map[string]any{"a": text, "b": "c"}
	var out bytes.Buffer
	if err := writeYAML(&out, Object{Value: &object, Text: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	back, err := yaml.YAMLToJSONStrict(out.Bytes())
	if err != nil {
		t.Fatalf("%q: %v in\n%s", text, err, out.String())
	}
	if diff := cmp.Diff(generic(t, want), generic(t, back)); diff != "" {
		t.Errorf("%q reads back as something else (-written +read):\n%s\n%s", text, diff, out.String())
	}
}

func generic(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
