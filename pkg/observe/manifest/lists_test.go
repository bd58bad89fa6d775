package manifest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
)

// outcome is what reading a stream says, in a mode.
func outcome(t *testing.T, stream string, o Options) (obs *observe.Observation, said string) {
	t.Helper()
	o.In, o.SkipInvalid = strings.NewReader(stream), true
	obs, err := Read(t.Context(), []string{Stdin}, o, everything)
	if err != nil {
		t.Fatal(err)
	}
	said = fmt.Sprintf("%d pods, %d templates: %s\n", obs.Pods(), obs.Templates(), strings.Join(seen(obs), ", "))
	for _, u := range obs.Unread {
		said += fmt.Sprintf("unread: %d %v: %q\n", u.Objects, u, u.Places)
	}
	for _, s := range obs.Skipped {
		said += fmt.Sprintf("skipped: %+v: %s\n", s.Place, s.Problem)
	}
	for _, w := range obs.Warnings {
		said += fmt.Sprintf("warning: %+v: %s\n", w.Place, w.Problem)
	}
	o.In, o.SkipInvalid = strings.NewReader(stream), false
	_, err = Read(t.Context(), []string{Stdin}, o, everything)
	return obs, said + fmt.Sprintf("error: %v\n", err)
}

// visited is all that visiting a stream says.
func visited(t *testing.T, stream string) string {
	t.Helper()
	out := ""
	err := Visit(t.Context(), []string{Stdin}, Options{In: strings.NewReader(stream)}, func(o Object) error {
		out += fmt.Sprintf("visited: %v: %v: %s\n", o.Place, o.Type, o.data)
		return nil
	})
	return fmt.Sprintf("%serror: %v\n", out, err)
}

// oddStreams are streams that are broken, or unusual, in one place.
func oddStreams() []string {
	pod := func(name, more string) string {
		return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"` + name + `"},"spec":{"containers":[{"name":"c"}]` + more + `}}`
	}
	a, b := pod("a", ""), pod("b", "")
	list := func(items string) string { return `{"apiVersion":"v1","kind":"List","items":` + items + `}` }
	streams := []string{
		// Where the type of the List stands.
		`{"items":[` + a + `],"apiVersion":"v1","kind":"List"}`,
		`{"apiVersion":"v1","items":[` + a + `],"kind":"List","metadata":{"resourceVersion":""}}`,
		`{"kind":"List","items":[` + a + `]}`, `{"apiVersion":"v1","items":[` + a + `]}`, `{"items":[` + a + `]}`,
		`{"apiVersion":1,"kind":"List","items":[` + a + `]}`, `{"apiVersion":"v1","kind":["List"],"items":[` + a + `]}`, `{"apiVersion":1,"kind":2,"items":[` + a + `]}`,
		`{"kind":2,"apiVersion":1,"items":[]}`, `{"apiVersion":"v1","kind":null,"items":[` + a + `]}`, `{"ApiVersion":"v1","Kind":"List","Items":[` + a + `]}`,
		`{"apiVersion":"v1","k\u0069nd":"List","\u0069tems":[` + a + `]}`, `{"apiVersion":"v1","kind":"L\u0069st","items":[` + a + `]}`,
		// Keys that are given twice.
		`{"apiVersion":"v1","kind":"List","items":[` + a + `],"items":[` + b + `]}`, `{"apiVersion":"v1","kind":"List","items":[` + a + `],"items":null}`,
		`{"apiVersion":"v1","kind":"List","items":null,"items":[` + a + `]}`, `{"apiVersion":"v1","kind":"List","items":7,"items":[` + a + `]}`,
		`{"apiVersion":"v1","kind":"Pod","kind":"List","items":[` + a + `]}`, `{"apiVersion":"v1","kind":"List","kind":"Pod","items":[` + a + `]}`,
		`{"apiVersion":"v1","kind":"List","metadata":{},"metadata":{"a":1,"a":2},"items":[` + a + `]}`, `{"apiVersion":"v1","kind":"List","items":[` + a + `],"\u0069tems":[` + b + `]}`,
		"apiVersion: v1\nkind: List\nitems:\n- " + a + "\nitems:\n- " + b + "\n",
		"apiVersion: v1\nkind: List\nitems:\n- " + a + "\n- apiVersion: v1\n  kind: Pod\n  kind: Pod\n  metadata: {name: b, name: b}\n  spec: {hostPID: true, hostPID: false, containers: [{name: c}]}\n",
		"apiVersion: v1\nkind: ConfigMap\nkind: List\nitems: [" + a + "]\n",
		// Items of any type, and none.
		list(`null`), list(`[]`), list(`{}`), list(`"x"`), list(`7`), list(`true`), list(` [ ] `), `{"apiVersion":"v1","kind":"List"}`,
		`{"apiVersion":"v1","kind":"PodList","items":{"a":[]}}`, `{"apiVersion":"example.com/v1","kind":"AllowList","items":7}`, `{"apiVersion":"example.com/v1","kind":"AllowList","items":[` + a + `]}`,
		list(`[null]`), list(`[7,` + a + `]`), list(`["x",` + a + `,true]`), list(`[[],` + a + `]`), list(`[{},` + a + `]`), list(`[[[` + a + `]]]`), list(`[-1.5e+7]`),
		// Lists of a kind.
		`{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]}},null,{},7,` + b + `]}`,
		`{"apiVersion":"v1","kind":"PodList","items":[{"apiVersion":"v2","metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]}},{"kind":"Pod","metadata":{"name":"b"}}]}`,
		`{"apiVersion":"v1","kind":"PodList","items":[{"kind":"","apiVersion":"v1","metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]}},{"kind":"ConfigMap","apiVersion":"v1"}]}`,
		`{"apiVersion":"extensions/v1beta1","kind":"DeploymentList","items":[{"metadata":{"name":"d"},"spec":{"rollbackTo":{},"template":{"spec":{"containers":[{"name":"c"}]}}}}]}`,
		`{"apiVersion":"v1","kind":"SecretList","items":[{"metadata":{"name":"s"}},{"metadata":{"name":"t"}}]}`, `{"apiVersion":"v1","kind":"JobList","items":[{"metadata":{"name":"x"}}]}`,
		// Items that differ from their beginning.
		list(`[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]},"kind":"ConfigMap"}]`),
		list(`[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]},"apiVersion":"v2"}]`),
		list(`[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]},"kind":null}]`),
		list(`[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]},"kind":7}]`),
		list(`[{"apiVersion":"v1","kind":"Deployment","metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]},"kind":"Pod"}]`),
		list(`[{"metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]},"kind":"Pod","apiVersion":"v1"}]`), list(`[{"metadata":{"name":"a"},"kind":"Pod"}]`),
		list(`[{"apiVersion":"v1","kind":"P\u006fd","metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]}},{"apiVersion":"v1","k\u0069nd":"Pod","metadata":{"name":"b"},"spec":{"containers":[{"name":"c"}]}}]`),
		list(`[{"apiVersion":"v1","kind":"Pod","items":[7],"items":7,"metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]}}]`),
		// Lists in Lists.
		list(`[` + list(`[`+a+`,`+list(`[`+b+`,7]`)+`]`) + `]`), list(`[` + list(`null`) + `,` + list(`8`) + `,` + `{"kind":"List"}` + `]`),
		list(`[` + strings.Repeat(`{"apiVersion":"v1","kind":"List","items":[`, 12) + a + strings.Repeat(`]}`, 12) + `]`),
		// Fields.
		list(`[` + pod("a", `,"hostPid":true,"hostIPC":true,"hostIPC":false`) + `,` + pod("b", `,"hostPID":1`) + `,` + pod("c", `,"volumes":[{"name":"v","fc":{"lun":"1"}}]`) + `]`),
		list(`[` + pod("a", `,"x1":1,"x2":1,"x3":1,"x4":1,"x5":1,"x6":1,"x7":1,"x8":1,"x9":1,"y1":1,"y2":1,"y3":1`) + `]`),
		list(`[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","managedFields":[{"fieldsV1":{"a":1,"a":2},"x":1,"time":"no"}]},"spec":{"containers":[{"name":"c"}]}}]`),
		list(`[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","managedFields":[{"fieldsV1":{"a":1,"a":2},"x":1}]},"spec":{"containers":[{"name":"c"}]},"status":{"phase":"Running","phase":"Failed","x":{"y":1,"y":1}}}]`),
		list(`[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[]}},{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a\ud800\n","namespace":"../x"},"spec":{"containers":[{}]}}]`),
		list(`[{"apiVersion":"v1","kind":"pod"},{"apiVersion":"apps/v1","kind":"Pod"},{"apiVersion":"","kind":"Pod"},{"apiVersion":"v1","kind":""},{"apiVersion":"a/b/c","kind":"Pod"}]`),
		list(`[{"apiVersion":"argoproj.io/v1alpha1","kind":"Rollout","kind":"Rollout","metadata":{"name":"web"},"spec":{"template":{"spec":{"containers":[{"image":"x"}]}}}}]`),
		list(`[{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"},"automountServiceAccountToken":false},` + a + `]`),
		list(`[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"long"},"spec":{"containers":[{"name":"` + strings.Repeat("x", maxObject) + `"}]}},` + a + `]`),
		// What follows.
		a + list(`[`+b+`]`) + "\n" + list(`[7]`), list(`[`+a+`]`) + "x", list(`[`+a+`]`) + "\n]", list(`[`+a+`]`) + "\n{", list(`[`+a+`]`) + " 7 " + b, list(`[`+a+`]`) + "\nnull\n" + b,
		list(`[`+a+`]`) + "\n---\n" + list(`[`+b+`]`), "---\n" + list(`[`+a+`]`) + "\n---\n" + list(`[`+b+`]`) + "x", "# x\n" + list(`[`+a+`]`) + "\n# y\n", "\ufeff" + list(`[`+a+`]`), "[" + a + "]", "[" + a,
		// Broken JSON, and JSON that is YAML.
		`{"apiVersion":"v1","kind":"List","items":[` + a, list(`[` + a + `,]`), list(`[` + a + ` ` + b + `]`), list(`[,` + a + `]`), list(`[` + a + `,{"a":}]`), list(`[` + a + `,{a: 1}]`), list(`[` + a + `,{"a":01}]`), list(`[` + a + `,{"a":"` + "\x01" + `"}]`),
		list(`[` + a + `,{"a":"\x41"}]`), list(`[` + a + `,{"a":"\u12"}]`), list(`[` + a + `,nul]`), list(`[` + a + `,{"a":1,}]`), list(`[` + a + `,{"a" 1}]`), list(`[` + a + `,{"a":-}]`), list(`[` + a + `,{"a":1.}]`), list(`[` + a + `,{"a":1e}]`), list(`[` + a + `,'x']`),
		list(`[` + a + `}`), `{"apiVersion":"v1","kind":"List","items":[` + a + `],}`, `{"apiVersion":"v1","kind":"List","items":[` + a + `]`, `{"apiVersion":"v1","kind":"List",}`, list(`[` + a + `]`)[1:], "{", `{"`, `{"a`, `{"a"`, `{"a":`, "{}", "{}}", "{} {}",
		list("[" + a + "," + "\"\xff\"" + "]"), list("[" + a + ",\"\x00\"]"), list(`[` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `]`), strings.Repeat(`{"a":`, 9999) + "1" + strings.Repeat("}", 9999), strings.Repeat(`{"a":`, 10001) + "1" + strings.Repeat("}", 10001),
		// Lists in YAML.
		"apiVersion: v1\nitems:\n- " + a + "\n-\n  " + b + "\n- ~\n-\nkind: List\n", "kind: List\napiVersion: v1\nitems:\n  - " + a + "\n  - " + b + "\n",
		"apiVersion: v1\nkind: List\nitems:\n- &x " + a + "\n- *x\n", "apiVersion: v1\nkind: List\nitems:\n- " + a + "\n- a: [\n- " + b + "\n", "apiVersion: v1\nkind: List\nitems:\n- " + a + "\nb\n",
		"apiVersion: v1\nkind: List\nitems:\n- " + a + "\n- a: \"x\n- y\"\n- " + b + "\n", "apiVersion: v1\nkind: List\nitems:\n- " + a + "\n- a: |\n   x\n  - y\n- " + b + "\n", "apiVersion: v1\nkind: List\nitems:\n- " + a + "\n- [\n- " + b + "\n]\n",
		"apiVersion: v1\nkind: List\nitems:\n- " + a + "\n%YAML 1.1\n- " + b + "\n", "apiVersion: v1\nkind: List\nitems:\n- " + a + "\n  # x\n# y\n\n- # z\n  " + b + "\n# end\n", "apiVersion: v1\nkind: List\nitems:\n- " + a + "\n- x\n- {1: a, \"1\": b}\n",
		"apiVersion: v1\nkind: List\nitems:\n- " + a + "\n- ? a\n  : b\n- {~: a}\n", "apiVersion: v1\nkind: List\nitems: # c\n- " + a + "\n- ! x\n- !!str 7\n- !e 7\n", "apiVersion: v1\nkind: List\nitems: !!seq\n- " + a + "\n", "apiVersion: v1\nkind: List\nitems: &a\n- " + a + "\nmetadata: *a\n",
		"apiVersion: v1\nkind: List\nitems:\n- " + a + "\n -  " + b + "\n", "apiVersion: v1\nkind: List\n\"items\":\n- " + a + "\n", "apiVersion: v1\nkind: List\nitems:\r\n- " + a + "\r\n- " + b + "\r\n", "apiVersion: v1\nkind: List\nitems:\n- " + a + "\n-\t" + b + "\n- {{ .Values.x }}\n",
		"apiVersion: v1\nkind: List\nitems:\n- " + a + "\nitems2: >\n  x\n- " + b + "\n", "apiVersion: v1\nkind: List\ndata: |\n  x\nitems:\n- " + a + "\n", "apiVersion: v1\nkind: List\nitems:\n- a: >-\n\n- " + a + "\n", "apiVersion: v1\nkind: List\nx: \"\nitems:\n- 7\n\"\nitems:\n- " + a + "\n",
	}
	return streams
}

// TestOddStreams compares what is said of odd streams with testdata/odd-streams.txt.
func TestOddStreams(t *testing.T) {
	var got strings.Builder
	for _, stream := range oddStreams() {
		fmt.Fprintf(&got, "=== %.300q\n", stream)
		_, base := outcome(t, stream, Options{})
		fmt.Fprint(&got, shorten(base))
		for _, o := range []Options{{Validation: ValidateStrict}, {Validation: ValidateIgnore}, {UnknownKinds: ReadUnknown}} {
			if _, other := outcome(t, stream, o); other != base {
				fmt.Fprintf(&got, "with %q, %q:\n%s", o.Validation, o.UnknownKinds, shorten(other))
			}
		}
		fmt.Fprint(&got, shorten(visited(t, stream)))
	}
	const golden = "testdata/odd-streams.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("said, run go test ./pkg/observe/manifest -update (-want +got):\n%s", diff)
	}
}

// shorten cuts the lines that are too long for a golden file.
func shorten(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if len(line) > 600 {
			line = fmt.Sprintf("%s... (%d bytes)\n", line[:300], len(line))
		}
		out.WriteString(line)
	}
	return out.String()
}

// places match where an object stands, in a List or in a document.
var places = regexp.MustCompile(`stdin: document \d+ \(line \d+\)(: items\[\d+\])*|\{File:stdin Document:\d+ Line:\d+ Item:[^}]*\}`)

// placeless is all that reading a stream says, without where it is.
func placeless(t *testing.T, stream string, o Options) string {
	t.Helper()
	obs, said := outcome(t, stream, o)
	obs.Skipped, obs.Warnings = nil, nil
	data, err := observe.Encode(obs)
	if err != nil {
		t.Fatal(err)
	}
	// What is skipped is in the order of its places.
	lines := strings.Split(places.ReplaceAllString(said, "AT"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n") + places.ReplaceAllString(string(data), "AT")
}

// Objects in a List give the same observation as one document each.
func TestListsAreDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("slow with the race detector, and faster tests have the same goroutines")
	}
	r := podtest.Rand(t)
	for range 60 {
		var objects []string
		for i := range 1 + r.IntN(5) {
			objects = append(objects, randomObject(t, r, i, 2))
		}
		for _, tc := range []struct{ documents, list string }{
			{strings.Join(objects, "\n"), randomList(r, objects)},
			// With a comment, it is YAML.
			{"---\n" + strings.Join(objects, " #\n---\n") + " #\n", "items:\n- " + strings.Join(objects, "\n- ") + "\napiVersion: v1\nkind: List\n"},
		} {
			for _, o := range []Options{{}, {Validation: ValidateStrict}, {Validation: ValidateIgnore}, {UnknownKinds: ReadUnknown}} {
				want, got := placeless(t, tc.documents, o), placeless(t, tc.list, o)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("with %+v\n%s\nas a List (-documents +list):\n%s", o, tc.list, diff)
				}
			}
		}
	}
}

// randomList is a List of objects, its fields in any order.
func randomList(r *rand.Rand, objects []string) string {
	between := podtest.Pick(r, "", " ", "\n    ", "\r\n\t")
	fields := []string{
		`"apiVersion":` + between + `"v1"`, `"kind"` + between + `:"List"`, `"metadata":{"resourceVersion":"","items":[7]}`,
		`"items":` + between + `[` + between + strings.Join(objects, between+","+between) + between + `]`,
	}
	r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return "{" + between + strings.Join(fields, between+","+between) + between + "}"
}

// randomObject is an object, in JSON, with a name of its own; it may be a broken one, and
// a List of others.
func randomObject(t *testing.T, r *rand.Rand, i, depth int) string {
	t.Helper()
	name := fmt.Sprintf("o%d-%d", depth, i)
	pod := podtest.Random(r)
	pod.Name, pod.Namespace = name, podtest.Pick(r, "", "shop")
	if r.IntN(2) == 0 {
		pod.UID = "0b8c8a3e-6d9f-4c52-9d8a-1f2e3d4c5b6a"
	}
	pod.APIVersion, pod.Kind = "v1", "Pod"
	data, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	spec, err := json.Marshal(pod.Spec)
	if err != nil {
		t.Fatal(err)
	}
	switch r.IntN(16) {
	case 0:
		return `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"` + name + `"},"spec":{"template":{"spec":` + string(spec) + `}}}`
	case 1:
		return `{"apiVersion":"argoproj.io/v1alpha1","kind":"Rollout","metadata":{"name":"` + name + `"},"spec":{"template":{"spec":` + string(spec) + `}}}`
	case 2:
		return podtest.Pick(r, `{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"b"}}`, `{"apiVersion":"v1","kind":"Node"}`, `{"apiVersion":"v1"}`, `{"kind":"Pod"}`, `{}`, `{"apiVersion":"v1","kind":["Pod"]}`)
	case 3:
		return `{"apiVersion":"v1","kind":"ServiceAccount","automountServiceAccountToken":` + podtest.Pick(r, "true", "false", "7") + `,"metadata":{"name":"robot"}}`
	case 4, 5:
		return mutated(r, text)
	case 6:
		var nested []string
		for j := range r.IntN(3) {
			if depth > 0 {
				nested = append(nested, randomObject(t, r, 10*i+j, depth-1))
			}
		}
		return strings.ReplaceAll(strings.ReplaceAll(randomList(r, nested), "\n", " "), "\r", " ")
	case 7:
		// The type at the end.
		return strings.Replace(text, `"kind":"Pod","apiVersion":"v1",`, "", 1)[:strings.LastIndex(text, "}")-len(`"kind":"Pod","apiVersion":"v1",`)] + `,"kind":"Pod","apiVersion":"v1"}`
	default:
		return text
	}
}

// mutated is an object with a mistake.
func mutated(r *rand.Rand, text string) string {
	add := func(at, more string) string { return strings.Replace(text, at, at+more, 1) }
	return podtest.Pick(r,
		add(`"spec":{`, `"noSuchField":1,`), add(`"spec":{`, `"hostPID":true,"hostPID":false,`), add(`"spec":{`, `"hostIPC":"yes",`), add(`"metadata":{`, `"x":{},"labels":[],`),
		add(`{`, `"items":[{}],"items":[7],`), add(`{`, `"status":{"phase":"Running"},`), add(`{`, `"kind":"ConfigMap",`), strings.TrimSuffix(text, "}")+`,"kind":"ConfigMap"}`,
		strings.TrimSuffix(text, "}")+`,"apiVersion":"v2"}`, strings.ReplaceAll(text, `"kind"`, `"k\u0069nd"`), strings.ReplaceAll(text, `"Pod"`, `"P\u006fd"`), strings.ReplaceAll(text, `"Pod"`, `"pod"`),
		strings.ReplaceAll(text, `"containers":[`, `"containers":[null,{},{"ports":[{"containerPort":"x"}]},`), strings.ReplaceAll(text, `"metadata"`, `"Metadata"`),
	)
}
