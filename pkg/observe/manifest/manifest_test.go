package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"k8s.io/apimachinery/pkg/labels"
)

// everything observes both sources.
var everything = observe.Scope{Pods: true, Templates: true}

// strict and lenient end at what cannot be read, or go on past it.
const (
	strict  = false
	lenient = true
)

func readStream(in io.Reader, scope observe.Scope, skipInvalid bool) (*observe.Observation, error) {
	return Read(context.Background(), []string{Stdin}, Options{In: in, SkipInvalid: skipInvalid}, scope)
}

// read observes a stream.
func read(t *testing.T, stream string, scope observe.Scope) *observe.Observation {
	t.Helper()
	return readMode(t, stream, scope, strict)
}

func readMode(t *testing.T, stream string, scope observe.Scope, skipInvalid bool) *observe.Observation {
	t.Helper()
	obs, err := readStream(strings.NewReader(stream), scope, skipInvalid)
	if err != nil {
		t.Fatal(err)
	}
	return obs
}

// seen lists the observed "NAMESPACE/KIND/NAME ACCOUNT", sorted.
func seen(obs *observe.Observation) []string {
	var list []string
	for _, m := range obs.Members {
		list = append(list, fmt.Sprintf("%s/%s %s", m.Workload.Namespace, m.Workload, m.ServiceAccount))
	}
	return list
}

// attribute lists the values of an attribute over all that was observed.
func attribute(obs *observe.Observation, name string) []string {
	var list []string
	for _, g := range aggregate.Groups(obs.Members, aggregate.ByCluster, nil) {
		list = append(list, g.Profile().Text(name)...)
	}
	return list
}

// unread counts objects of kinds that are not read.
func unread(obs *observe.Observation) map[string]int {
	counts := map[string]int{}
	for _, u := range obs.Unread {
		counts[u.String()] = u.Objects
	}
	return counts
}

// podText is the manifest of a pod with more fields.
func podText(name string, more ...string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\nspec:\n  containers: [{name: c, image: x}]\n" + strings.Join(more, "")
}

const jsonPod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"j"},"spec":{"containers":[{"name":"c"}]}}`

func TestDocuments(t *testing.T) {
	for _, tc := range []struct {
		name, stream string
		want         []string // pods
	}{
		{"one", podText("a"), []string{"a"}},
		{"several", podText("a") + "---\n" + podText("b") + "---\n" + podText("c"), []string{"a", "b", "c"}},
		{"markers without documents", "---\n---\n\n# nothing\n---\n" + podText("a") + "---\n", []string{"a"}},
		{"a comment after the marker", podText("a") + "--- # the next one\n" + podText("b"), []string{"a", "b"}},
		{"white space after the marker", podText("a") + "---  \n" + podText("b") + "---\t\n" + podText("c"), []string{"a", "b", "c"}},
		{"a document on the marker's line", podText("a") + "--- " + jsonPod + "\n", []string{"a", "j"}},
		{"a directive", "%YAML 1.2\n---\n" + podText("a"), []string{"a"}},
		{"documents with an end", podText("a") + "...\n---\n" + podText("b") + "...\n", []string{"a", "b"}},
		{"documents after an end without a marker", podText("a") + "...\n" + podText("b"), []string{"a", "b"}},
		{"a marker in a block", podText("a", "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  y: |\n    ---\n    kind: Pod\n    ...\n---\n") + podText("b"), []string{"a", "b"}},
		{"a marker in a string", podText("a", "  hostname: \"x\n    --- y\"\n"), []string{"a"}},
		{"what begins like a marker", podText("a", "---x: y\n"), []string{"a"}},
		{"carriage returns", strings.ReplaceAll(podText("a")+"---\n"+podText("b"), "\n", "\r\n"), []string{"a", "b"}},
		{"carriage returns alone", "# x\r" + strings.ReplaceAll(podText("a")+"---\n# y\n"+podText("b")+"--- # z\n"+podText("c"), "\n", "\r"), []string{"a", "b", "c"}},
		{"a marker between carriage returns", podText("a") + "\r---\r" + podText("b"), []string{"a", "b"}},
		{"line ends of Unicode", podText("a") + "\u0085---\u0085" + podText("b") + "\u2028---\u2028# x\u2029" + podText("c") + "\u2029...\u2029" + podText("d"), []string{"a", "b", "c", "d"}},
		{"line ends of Unicode in a string", podText("a", "  hostname: \"x\u2028  --- y\"\n"), []string{"a"}},
		{"a byte order mark", "\ufeff" + podText("a") + "---\n" + podText("b"), []string{"a", "b"}},
		{"a byte order mark before a marker", "\ufeff---\n" + podText("a"), []string{"a"}},
		{"null documents", "null\n---\n~\n---\n" + podText("a"), []string{"a"}},
		{"JSON", jsonPod, []string{"j"}},
		{"JSON values in a row", jsonPod + strings.Replace(jsonPod, `"j"`, `"k"`, 1) + "\n\n" + strings.Replace(jsonPod, `"j"`, `"l"`, 1), []string{"j", "k", "l"}},
		{"JSON values after a byte order mark", "\ufeff" + jsonPod + strings.Replace(jsonPod, `"j"`, `"k"`, 1), []string{"j", "k"}},
		{"YAML in braces", "{apiVersion: v1, kind: Pod, metadata: {name: f}, spec: {containers: [{name: c}]}}\n", []string{"f"}},
		{"JSON and YAML", jsonPod + "\n---\n" + podText("a"), []string{"a", "j"}},
		{"JSON with comments above", "# x\n" + jsonPod, []string{"j"}},
		{"an alias", podText("a", "  hostname: &n x\n  subdomain: *n\n"), []string{"a"}},
		{"unknown fields", podText("a", "  noSuchField: {x: [1, 2]}\nstatus: {alsoNot: true}\n"), []string{"a"}},
		{"fields to the letter", podText("a", "  HOSTNETWORK: 7\n"), []string{"a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			obs := read(t, tc.stream, everything)
			var want []string
			for _, name := range tc.want {
				want = append(want, "default/Pod/"+name+" default")
			}
			if diff := cmp.Diff(want, seen(obs)); diff != "" {
				t.Errorf("pods (-want +got):\n%s", diff)
			}
			if obs.Pods() != len(want) || obs.Templates() != 0 || len(obs.Skipped) != 0 {
				t.Errorf("%d pods, %d templates, skipped %v", obs.Pods(), obs.Templates(), obs.Skipped)
			}
		})
	}
}

func TestLists(t *testing.T) {
	item := func(name string) string {
		return "- {apiVersion: v1, kind: Pod, metadata: {name: " + name + "}, spec: {containers: [{name: c}]}}\n"
	}
	untyped := "- {metadata: {name: u}, spec: {containers: [{name: c}]}}\n"
	template := "- {metadata: {name: d}, spec: {template: {spec: {containers: [{name: c}]}}}}\n"
	for _, tc := range []struct {
		name, stream string
		want         []string
		ignored      map[string]int
	}{
		{"List", "apiVersion: v1\nkind: List\nitems:\n" + item("a") + item("b"), []string{"default/Pod/a default", "default/Pod/b default"}, nil},
		{"empty", "apiVersion: v1\nkind: List\nitems: []\n", nil, nil},
		{"no items", "apiVersion: v1\nkind: List\n", nil, nil},
		{"null items", "apiVersion: v1\nkind: List\nitems: null\n", nil, nil},
		{"typed, no items", "apiVersion: v1\nkind: PodList\n", nil, nil},
		{"typed, null items", "apiVersion: apps/v1\nkind: DeploymentList\nitems: null\n", nil, nil},
		{"typed", "apiVersion: v1\nkind: PodList\nitems:\n" + untyped, []string{"default/Pod/u default"}, nil},
		{"typed, of templates", "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n" + template, []string{"default/Deployment/d default"}, nil},
		{"typed, with types", "apiVersion: v1\nkind: PodList\nitems:\n" + item("a"), []string{"default/Pod/a default"}, nil},
		{"typed, of a kind that is not read", "apiVersion: v1\nkind: SecretList\nitems:\n- {metadata: {name: s}}\n- {metadata: {name: t}}\n", nil, map[string]int{"Secret": 2}},
		{"a List in a List", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n  " + item("a"), []string{"default/Pod/a default"}, nil},
		{"a kind that ends in List", "apiVersion: example.com/v1\nkind: AllowList\nspec: {}\n", nil, map[string]int{"AllowList.example.com": 1}},
		{"a kind that ends in List and has items of its own", "apiVersion: example.com/v1\nkind: AllowList\nitems: {a: b}\n", nil, map[string]int{"AllowList.example.com": 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			obs := read(t, tc.stream, everything)
			if diff := cmp.Diff(tc.want, seen(obs)); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
			if tc.ignored == nil {
				tc.ignored = map[string]int{}
			}
			if diff := cmp.Diff(tc.ignored, unread(obs)); diff != "" {
				t.Errorf("ignored (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	spec := "{template: {spec: {containers: [{name: c}]}}}"
	for _, tc := range []struct{ apiVersion, kind, spec, want string }{
		{"v1", "ReplicationController", spec, "ReplicationController"},
		{"apps/v1", "Deployment", spec, "Deployment"},
		{"apps/v1beta1", "Deployment", spec, "Deployment"},
		{"apps/v1beta2", "Deployment", spec, "Deployment"},
		{"extensions/v1beta1", "Deployment", spec, "Deployment"},
		{"apps/v1", "ReplicaSet", spec, "ReplicaSet"},
		{"extensions/v1beta1", "ReplicaSet", spec, "ReplicaSet"},
		{"apps/v1", "StatefulSet", spec, "StatefulSet"},
		{"apps/v1beta1", "StatefulSet", spec, "StatefulSet"},
		{"apps/v1", "DaemonSet", spec, "DaemonSet"},
		{"extensions/v1beta1", "DaemonSet", spec, "DaemonSet"},
		{"batch/v1", "Job", spec, "Job"},
		{"batch/v1", "CronJob", "{jobTemplate: {spec: " + spec + "}}", "CronJob"},
		{"batch/v1beta1", "CronJob", "{jobTemplate: {spec: " + spec + "}}", "CronJob"},
		{"batch/v2alpha1", "CronJob", "{jobTemplate: {spec: " + spec + "}}", "CronJob"},
		{"v1", "PodTemplate", spec, "PodTemplate"},
		// The same kind in a group of someone else.
		{"serving.example.com/v1", "Deployment", spec, "ignored Deployment.serving.example.com"},
		{"batch.volcano.sh/v1alpha1", "Job", spec, "ignored Job.batch.volcano.sh"},
		{"example.com/v1", "deployment", spec, "ignored deployment.example.com"},
		{"v1", "ConfigMap", "{}", "ignored ConfigMap"},
	} {
		t.Run(tc.apiVersion+" "+tc.kind, func(t *testing.T) {
			stream := "apiVersion: " + tc.apiVersion + "\nkind: " + tc.kind + "\nmetadata: {name: x, namespace: shop}\n"
			if tc.kind == "PodTemplate" {
				stream += "template: {spec: {containers: [{name: c}]}}\n"
			} else {
				stream += "spec: " + tc.spec + "\n"
			}
			obs := read(t, stream, everything)
			var want []string
			ignored := map[string]int{}
			if kind, ok := strings.CutPrefix(tc.want, "ignored "); ok {
				ignored[kind] = 1
			} else {
				want = []string{"shop/" + tc.want + "/x default"}
			}
			if diff := cmp.Diff(want, seen(obs)); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(ignored, unread(obs)); diff != "" || obs.Templates() != len(want) {
				t.Errorf("%d templates, ignored (-want +got):\n%s", obs.Templates(), diff)
			}
		})
	}
}

func TestBrokenDocuments(t *testing.T) {
	good := podText("good") + "---\n"
	for _, tc := range []struct {
		name, stream string
		want         []string // parts of the error
	}{
		{"YAML", good + "a: [\n", []string{"stdin: document 2 (line 7)", "parsing", "line 2"}},
		{"JSON", `{"apiVersion" "v1"}`, []string{"stdin: document 1 (line 1)", "invalid character '\"'"}},
		{"JSON in a row", jsonPod + "\n{", []string{"document 2 (line 2)", "unexpected EOF"}},
		{"binary", "\x00\x01\x02\xff", []string{"document 1 (line 1)", "not a text file"}},
		{"UTF-16", "\xff\xfea\x00:\x00", []string{"not a text file"}},
		{"a list", "- a\n- b\n", []string{"want an object, found a list"}},
		{"a string", "hello\n", []string{"want an object, found a string"}},
		{"a number", "--- 7\n", []string{"want an object, found a number"}},
		{"something after an object", good + "{apiVersion: v1, kind: ConfigMap} {kind: Pod}\n", []string{"document 2 (line 7)", "parsing"}},
		{"two JSON objects after a marker", "---\n" + jsonPod + "\n" + jsonPod + "\n", []string{"document 1 (line 1)", "parsing"}},
		{"no kind", "apiVersion: v1\nmetadata: {name: x}\n", []string{"kind: required"}},
		{"no apiVersion", "kind: Pod\nmetadata: {name: x}\n", []string{"apiVersion: required for Pod"}},
		{"kind of a wrong type", "apiVersion: v1\nkind: [Pod]\n", []string{"kind"}},
		{"no name", "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: c}]}\n", []string{`Pod ""`, "metadata.name: required"}},
		{"no containers", "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: shop}\nspec: {}\n", []string{`Pod "shop/x"`, "spec.containers: at least one"}},
		{"no template", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {}\n", []string{`Deployment "x"`, "spec.template.spec.containers: at least one is required"}},
		{"no job template", "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: x}\nspec: {}\n", []string{`CronJob "x"`, "spec.jobTemplate.spec.template.spec.containers: at least one is required"}},
		{
			"a template without containers", "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: x}\nspec: {jobTemplate: {spec: {template: {spec: {}}}}}\n",
			[]string{`CronJob "x"`, "spec.jobTemplate.spec.template.spec.containers"},
		},
		{"a wrong type", good + podText("bad", "  hostNetwork: \"yes\"\n"), []string{"document 2 (line 7)", `Pod "bad"`, "spec.hostNetwork", "boolean", "string"}},
		{
			"a wrong type, deep in a template", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {template: {spec: {containers: [{name: c, ports: [{hostPort: http}]}]}}}\n",
			[]string{`Deployment "x"`, "spec.template.spec.containers[0].ports[0].hostPort", "number", "string"},
		},
		{"a wrong type in a struct that has no name in JSON", podText("bad", "  volumes: [{name: v, fc: {lun: \"1\"}}]\n"), []string{"spec.volumes[0].fc.lun: want a number"}},
		{
			"a service account's", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: x}\nautomountServiceAccountToken: 7\n",
			[]string{`ServiceAccount "x"`, "automountServiceAccountToken", "boolean"},
		},
		{"a name that is none", "apiVersion: v1\nkind: Pod\nmetadata: {name: [x]}\n", []string{`Pod ""`, "metadata.name"}},
		{"a namespace that is none", "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: ../y}\nspec: {containers: [{name: c}]}\n", []string{"metadata.namespace", `"../y"`}},
		{
			"an item", good + "apiVersion: v1\nkind: List\nitems:\n- {kind: Secret, apiVersion: v1}\n- {kind: Pod, apiVersion: v1, metadata: {name: x}}\n",
			[]string{"document 2 (line 7): items[1]", `Pod "x"`, "spec.containers"},
		},
		{"an item of an item", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: List, items: [{}]}\n", []string{"document 1 (line 1): items[0]: items[0]", "kind: required"}},
		{"an item that is none", "apiVersion: v1\nkind: List\nitems: [7]\n", []string{"items[0]"}},
		{"items that are none", "apiVersion: v1\nkind: List\nitems: 7\n", []string{"items: want a list"}},
		{"items that are none, of pods", "apiVersion: v1\nkind: PodList\nitems: {a: b}\n", []string{"document 1 (line 1): items: want a list"}},
		{"a group that lacks the kind", good + "apiVersion: app/v1\nkind: Deployment\nmetadata: {name: x}\n", []string{`document 2 (line 7): Deployment "x": apiVersion: "app/v1" has no Deployment`}},
		{"no group", "apiVersion: v1\nkind: Deployment\nmetadata: {name: x}\n", []string{`Deployment "x": apiVersion: "v1" has no Deployment`}},
		{"a group for a core kind", "apiVersion: apps/v1\nkind: serviceaccount\nmetadata: {name: x}\n", []string{`apiVersion: "apps/v1" has no ServiceAccount`}},
		{"a group alone", "apiVersion: batch\nkind: Job\nmetadata: {name: x}\n", []string{`Job "x": apiVersion: "batch" has no Job`}},
		{"a kind of another case", "apiVersion: apps/v1\nkind: deployment\nmetadata: {name: x}\n", []string{`deployment "x": kind: "deployment": want Deployment`}},
		{"a kind of another case, in an old group", "apiVersion: extensions/v1beta1\nkind: DEPLOYMENT\n", []string{`kind: "DEPLOYMENT": want Deployment`}},
		{"a list of a group that lacks the kind", "apiVersion: v1\nkind: JobList\nitems: [{metadata: {name: x}}]\n", []string{`items[0]: Job "x": apiVersion: "v1" has no Job`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			obs, err := readStream(strings.NewReader(tc.stream), everything, strict)
			if err == nil || obs != nil {
				t.Fatalf("no error, or an observation beside it: %v", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in the error: %v", want, err)
				}
			}
			obs = readMode(t, tc.stream, everything, lenient)
			if len(obs.Skipped) != 1 || obs.Skipped[0].Error() != err.Error() {
				t.Errorf("skipped %q, want %q", obs.Skipped, err)
			}
		})
	}
}

// A broken document does not hide those around it.
func TestSkipInvalid(t *testing.T) {
	stream := podText("a") + "---\na: [\n---\n" + podText("b", "  hostPID: 7\n") + "---\napiVersion: v1\nkind: List\nitems:\n" +
		"- {apiVersion: v1, kind: Pod, metadata: {name: c}}\n- " + jsonPod + "\n---\n" + podText("d")
	obs := readMode(t, stream, everything, lenient)
	if diff := cmp.Diff([]string{"default/Pod/a default", "default/Pod/d default", "default/Pod/j default"}, seen(obs)); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
	var got []string
	for _, err := range obs.Skipped {
		at, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "reading stdin: "), ": ")
		got = append(got, at)
	}
	if diff := cmp.Diff([]string{"document 2 (line 7)", "document 3 (line 9)", "document 4 (line 17)"}, got); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestFilesAndDirectories(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": podText("a"), "b.yml": podText("b"), "c.json": jsonPod, "README.md": "not read", "sub/d.yaml": podText("d"), "empty/x.txt": "",
		"nothing.yaml.bak": "not read", "blank/blank.yaml": "\n \n", "comment/c.yaml": "# nothing\n", "odd": podText("odd"), "sub/deep/e.yaml": podText("e"),
		"mount/..2026_01_01/m.yaml": podText("m"), "links/l.yaml": podText("l"),
		"tree/a/x/a.yaml": podText("x"), "tree/b/b.json": jsonPod, "tree/c/README": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"link": "sub", "mount/..data": "..2026_01_01", "mount/m.yaml": "..data/m.yaml",
		"links/file.yaml": "../a.yaml", "links/gone": "nowhere", "links/directory": "../sub", "links/other.yaml": "../sub",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name      string
		paths     []string
		recursive bool
		want      []string
		wantErr   string
	}{
		{"a file", []string{"a.yaml"}, false, []string{"a"}, ""},
		{"a file of any name", []string{"odd"}, false, []string{"odd"}, ""},
		{"a directory", []string{"."}, false, []string{"a", "b", "j"}, ""},
		{"a directory and what is below", []string{"sub"}, true, []string{"d", "e"}, ""},
		{"a link to a directory", []string{"link"}, false, []string{"d"}, ""},
		{"links in a directory", []string{"links"}, true, nil, "links/directory: this is a symbolic link to a directory: pass the directory with --filename"},
		{"a mounted ConfigMap", []string{"mount"}, true, []string{"m"}, ""},
		{"a directory of a mounted ConfigMap", []string{"mount/..data"}, true, []string{"m"}, ""},
		{"several", []string{"a.yaml", "sub"}, false, []string{"a", "d"}, ""},
		{"stdin among files", []string{"-", "a.yaml"}, false, []string{"a", "in"}, ""},
		{"only comments", []string{"comment"}, false, nil, ""},
		{"missing", []string{"a.yaml", "gone.yaml"}, false, nil, "gone.yaml"},
		{"empty", []string{"blank/blank.yaml"}, false, nil, "blank.yaml: the file is empty"},
		{"a directory without manifests", []string{"empty"}, true, nil, "no *.yaml, *.yml or *.json file in it"},
		{"a directory of directories", []string{"tree"}, false, nil, "no *.yaml, *.yml or *.json file in it, but in 2 of its subdirectories: add -R"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var paths []string
			for _, p := range tc.paths {
				if p != "-" {
					p = filepath.Join(dir, p)
				}
				paths = append(paths, p)
			}
			obs, err := Read(t.Context(), paths, Options{Recursive: tc.recursive, In: strings.NewReader(podText("in"))}, everything)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Errorf("error %v, want one with %q", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, name := range tc.want {
				want = append(want, "default/Pod/"+name+" default")
			}
			if diff := cmp.Diff(want, seen(obs)); diff != "" {
				t.Errorf("pods (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("what takes -R is named", func(t *testing.T) {
		for path, want := range map[string][]observe.Warning{
			"sub": {{Place: observe.Place{File: filepath.Join(dir, "sub")}, Problem: "the manifests in 1 of its subdirectories were not read: add -R"}}, "comment": nil, "links": nil,
		} {
			obs, err := Read(t.Context(), []string{filepath.Join(dir, path)}, Options{}, everything)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, obs.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		}
	})
	t.Run("a directory with a broken file names it", func(t *testing.T) {
		_, err := Read(t.Context(), []string{dir}, Options{Recursive: true}, everything)
		if err == nil || !strings.Contains(err.Error(), filepath.Join("blank", "blank.yaml")) {
			t.Errorf("error %v", err)
		}
		obs, err := Read(t.Context(), []string{dir}, Options{Recursive: true, SkipInvalid: true}, everything)
		if err != nil || len(obs.Skipped) != 4 || obs.Pods() != 10 {
			t.Errorf("%v, observed %+v", err, obs)
		}
	})
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestBrokenStdin(t *testing.T) {
	for _, skipInvalid := range []bool{strict, lenient} {
		if _, err := readStream(brokenReader{}, everything, skipInvalid); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("error %v", err)
		}
	}
}

func TestNamespaces(t *testing.T) {
	stream := ""
	for _, namespace := range []string{"a", "b", "kube-system"} {
		stream += "---\n" + strings.Replace(podText("p"), "name: p", "name: p\n  namespace: "+namespace, 1)
	}
	stream += "---\n" + podText("p")
	for _, tc := range []struct {
		name          string
		only, without []string
		want          []string
		elsewhere     int
	}{
		{"all", nil, nil, []string{"a", "b", "default", "kube-system"}, 0},
		{"one, which stands in for none", []string{"a"}, nil, []string{"a"}, 2},
		{"one, given twice", []string{"a", "a"}, nil, []string{"a"}, 2},
		{"two", []string{"a", "b"}, nil, []string{"a", "b"}, 2},
		{"two, one of them for those without", []string{"a", "default"}, nil, []string{"a", "default"}, 2},
		{"excluded", nil, []string{"kube-system", "default"}, []string{"a", "b"}, 2},
		{"excluded wins", []string{"a", "b"}, []string{"b"}, []string{"a"}, 2},
		{"nothing left", []string{"a"}, []string{"a"}, nil, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := everything
			o.Namespaces, o.ExcludedNamespaces = tc.only, tc.without
			obs := read(t, stream, o)
			if diff := cmp.Diff(tc.want, obs.Namespaces()); diff != "" {
				t.Errorf("namespaces (-want +got):\n%s", diff)
			}
			if obs.Pods() != 4-tc.elsewhere || obs.Elsewhere != tc.elsewhere {
				t.Errorf("%d pods, %d elsewhere, want %d", obs.Pods(), obs.Elsewhere, tc.elsewhere)
			}
		})
	}
}

func TestSources(t *testing.T) {
	stream := podText("p") + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: [{name: c}]}}}\n"
	for _, tc := range []struct {
		options observe.Scope
		want    []string
	}{
		{observe.Scope{Pods: true}, []string{"default/Pod/p default"}},
		{observe.Scope{Templates: true}, []string{"default/Deployment/d default"}},
		{observe.Scope{Pods: true, Templates: true}, []string{"default/Deployment/d default", "default/Pod/p default"}},
	} {
		if diff := cmp.Diff(tc.want, seen(read(t, stream, tc.options))); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tc.options, diff)
		}
	}
}

// The selector judges pods by their labels and templates by those they give,
// not by the workload's own.
func TestSelector(t *testing.T) {
	stream := strings.Replace(podText("p"), "name: p", "name: p\n  labels: {app: web}", 1) + "---\n" + podText("q") + `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, labels: {app: other}}
spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: e, labels: {app: web}}
spec: {template: {spec: {containers: [{name: c}]}}}
`
	o := everything
	o.Selector = labels.SelectorFromSet(labels.Set{"app": "web"})
	if diff := cmp.Diff([]string{"default/Deployment/d default", "default/Pod/p default"}, seen(read(t, stream, o))); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
}
