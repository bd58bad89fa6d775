package manifest

import (
	"encoding/json"
	"fmt"
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
			_, err := readStream(strings.NewReader(tc.stream), everything, strict)
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

// A document with its aliases expanded is not much larger than its text.
func TestAliases(t *testing.T) {
	const n = 2000
	long := strings.Repeat("x", 1<<16)
	aliases := strings.Repeat("- *a\n", n)
	for _, tc := range []struct{ name, text string }{
		{"of a long string", "a: &a " + long + "\nb:\n" + aliases},
		{"of a long number", "a: &a " + strings.Repeat("1", 1<<16) + "\nb:\n" + aliases},
		{"of binary data", "a: &a !!binary " + strings.Repeat("YWFh", 1<<14) + "\nb:\n" + aliases},
		{"as keys", "a: &a " + long + "\nb:\n" + strings.Repeat("- {*a : x}\n", n)},
		{"of aliases", "a: &a " + long + "\nb: &b [" + strings.Repeat("*a, ", 30) + "]\nc: [" + strings.Repeat("*b, ", 100) + "]\n"},
		{"merged", "a: &a {k: " + long + "}\nb:\n" + strings.Repeat("- {<<: *a}\n", n)},
		{"a billion laughs", laughs(9, 10)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := textDocument(tc.text).toJSON()
			if err == nil || !strings.Contains(err.Error(), "alias") {
				t.Errorf("error %v, want one about aliases", err)
			}
		})
	}
	for _, tc := range []struct{ name, text, want string }{
		{"few", "a: &x {b: c}\nd: [*x, *x]\n", `{"a":{"b":"c"},"d":[{"b":"c"},{"b":"c"}]}`},
		{"redefined", "a: &x 1\nb: *x\nc: &x 2\nd: *x\n", `{"a":1,"b":1,"c":2,"d":2}`},
		{"merged", "a: &x {b: c, d: e}\nf: {<<: *x, d: g}\n", `{"a":{"b":"c","d":"e"},"f":{"b":"c","d":"g"}}`},
		{"none, in a script", "a: |\n  ls &x *y\n", `{"a":"ls \u0026x *y\n"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _, err := textDocument(tc.text).toJSON()
			if err != nil || string(got) != tc.want {
				t.Errorf("got %s, %v, want %s", got, err, tc.want)
			}
		})
	}
	if _, _, err := textDocument("a: &x [*x]\n").toJSON(); err == nil {
		t.Error("a value that contains itself is no error")
	}
}

// laughs is a document whose size grows by a factor with each level.
func laughs(levels, factor int) string {
	text := "a0: &a0 ha\n"
	for i := 1; i <= levels; i++ {
		text += fmt.Sprintf("a%[1]d: &a%[1]d [%[2]s]\n", i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), factor))
	}
	return text
}

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
			_, err := readStream(strings.NewReader(tc.text), everything, strict)
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
		got, _, err := textDocument(tc.text).toJSON()
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
		"a: !!binary YWE=\n", "a: |\n  b\n\n", "{1: a, '1': b}", "  a: b\nc: d\n", "a: b\n%YAML 1.1\n", laughs(3, 3), "%YAML 1.1\n---\na: b\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, _, err := textDocument(string(text)).toJSON()
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

func TestHelmTemplates(t *testing.T) {
	const hint = "render it first: helm template CHART | advisor inspect -f -"
	for _, tc := range []struct {
		name, text string
		want       bool
	}{
		{"an action on a line", "{{- if .Values.web }}\n" + podText("a") + "{{- end }}\n", true},
		{"an action as a value", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n", true},
		{"an action in an object", "apiVersion: v1\nkind: Pod\nmetadata: {name: x, labels: {{ toYaml .Values.labels }} }\n", true},
		{"an action in a string beside something broken", "a: \"{{ .Values.a }}\"\nb: '{{ .Values.b }}'\nc: [\n", false},
		{"something broken", "a: [\n", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := textDocument(tc.text).toJSON()
			if err == nil || strings.HasSuffix(err.Error(), hint) != tc.want {
				t.Errorf("error %v, hint wanted: %t", err, tc.want)
			}
		})
	}
}
