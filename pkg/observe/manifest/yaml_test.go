package manifest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// The YAML parser ends a document where a line is indented less than its first
// one, or begins with a directive; what follows must not be lost in silence.
func TestWhatFollowsADocumentsValue(t *testing.T) {
	indented := strings.ReplaceAll("\n"+podText("a"), "\n", "\n  ")
	for _, tc := range []struct{ name, stream, want string }{
		{"a directive", podText("a") + "%YAML 1.2\n  hostPID: true\n", "document 1 (line 1): parsing: line 7:"},
		{"a tag directive", podText("a") + "%TAG ! tag:example.com,2000:\n", "document 1 (line 1): parsing: line 8:"},
		{"a directive before a marker", podText("a") + "%YAML 1.2\n---\n" + podText("b"), "document 1 (line 1): parsing: line 7:"},
		{"a line indented less", "# x\n" + indented + "\nhostPID: true\n", "document 1 (line 1): parsing: line 10:"},
		{"a line indented less, of a second document", podText("b") + "---" + indented + "\nhostPID: true\n", "document 2 (line 7): parsing: line 15:"},
		{"an object after an object in braces", "{apiVersion: v1, kind: ConfigMap}\n{kind: Pod}\n", "document 1 (line 1): parsing: line 2:"},
		{"a line after an object in braces", "{apiVersion: v1, kind: ConfigMap}\nkind: Pod\n", "document 1 (line 1): parsing: "},
		{"two JSON objects", "---\n" + jsonPod + "\n" + jsonPod + "\n", "document 1 (line 1): parsing: line 3:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := readAll(strings.NewReader(tc.stream), everything, strict)
			if err == nil || !strings.Contains(err.Error(), "reading stdin: "+tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
	for _, tc := range []struct{ name, stream string }{
		{"comments and white space", podText("a") + "\n  \n# x\n   \n"},
		{"a comment, indented less", indented + "\n# x\n"},
		{"comments after braces", "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c}]}} # x\n\n# y\n"},
		{"a directive in a string", podText("a", "  hostname: \"x\n    %YAML 1.2\"\n")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff([]string{"default/Pod/a default"}, seen(read(t, tc.stream, everything))); diff != "" {
				t.Errorf("pods (-want +got):\n%s", diff)
			}
		})
	}
}

func textDocument(text string) document { return document{text: []byte(text), line: 1} }

func TestNestedTooDeep(t *testing.T) {
	const n = 200_000
	for _, tc := range []struct{ name, text string }{
		{"lists in brackets", "a: " + strings.Repeat("[", n) + strings.Repeat("]", n)},
		{"lists", strings.Repeat("- ", n)},
		{"keys", strings.Repeat("? ", n)},
		{"objects", strings.Repeat("{a: ", n) + strings.Repeat("}", n)},
		{"JSON", `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}"},
		{"Lists", strings.Repeat(`{"apiVersion":"v1","kind":"List","items":[`, 3000) + strings.Repeat("]}", 3000)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := readAll(strings.NewReader(tc.text), everything, strict)
			if err == nil || !strings.Contains(err.Error(), "depth") && !strings.Contains(err.Error(), "deep") {
				t.Errorf("error %.200v, want one about depth", err)
			}
		})
	}
}

// Keys are text in JSON: of two that differ in YAML alone, neither is the last.
func TestKeys(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"{1: a, true: b, 1.5: c, .inf: d, x: e}", `{".inf":"d","1":"a","1.5":"c","true":"b","x":"e"}`},
		{"{1: a, \"1\": b}", `the key "1" is given twice`},
		{"{true: a, \"true\": b}", `the key "true" is given twice`},
		{"{~: a}", "a key must be a string"},
		{"{[a]: b}", "a key must be a string"},
		{"{{a: b}: c}", "a key must be a string"},
	} {
		got, err := textDocument(tc.text).toJSON()
		if err != nil {
			got = []byte(err.Error())
		}
		if !strings.Contains(string(got), tc.want) {
			t.Errorf("%s: got %s, want %s", tc.text, got, tc.want)
		}
	}
}

// FuzzToJSON holds the JSON form of a document against that of sigs.k8s.io/yaml,
// which kubectl uses.
func FuzzToJSON(f *testing.F) {
	for _, s := range []string{
		podText("a"), jsonPod, "{a: 1, 1.5: [~, yes, 0x10, 2001-01-01, .nan]}", "a: &x {b: c}\nd: {<<: *x, b: d}\n", "{a: b, a: c}", "!!map {a: !!str 1}",
		"a: !!binary YWE=\n", "a: |\n  b\n\n", "{1: a, '1': b}", "  a: b\nc: d\n", "a: b\n%YAML 1.1\n", "a: &x [1]\nb: [*x, *x]\n", "%YAML 1.1\n---\na: b\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := textDocument(string(text)).toJSON()
		if err != nil || got == nil || json.Valid(content(text)) {
			return // JSON is taken as it is
		}
		want, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatalf("%s is an error for sigs.k8s.io/yaml: %v", got, err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Fatalf("JSON (-want +got):\n%s", diff)
		}
	})
}
