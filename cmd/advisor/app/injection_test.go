package app

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// hostile are strings that would end a comment, a string, a line or a document,
// or drive a terminal.
var hostile = []string{
	"plain", "", "a: b", "a #b", "# a", "- a", "---", "...", "'", `"`, "`", "*", "&a", "{", "[", "|", ">", "%", "@", "!", "true", "null", "1", "~", `\`, `\n`,
	"x\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: stolen}\n",
	"x\r\n---\r\napiVersion: v1\r\n", "x\n# y", "x\n  privileged: true", "x\n    seccomp.security.alpha.kubernetes.io/allowedProfileNames: y",
	"x\nwarning: all is well", "x\nadvisor: done", "a\tb", " a ", strings.Repeat("long ", 60),
	"\a", "\b\b\b", "\x1b[2J", "\x1b]0;title\a", "\x7f", "\u0085", "\u009b2J", "\u2028", "\u2029", "\ufeff", "\u202eexe.txt", "\u2066x\u2069", "\u200b", "\U000e0041", "\xff",
	"../../etc", "a/b", "a,b", "a;b", "a b",
}

// manifests returns a List with name, value and kind in every place that can
// reach the output. The pods have a uid: what a server has taken is read, whatever
// it holds.
func manifests(t testing.TB, name, value, kind string) string {
	t.Helper()
	type object = map[string]any
	const uid = "0b8c8a3e-6d9f-4c52-9d8a-1f2e3d4c5b6a"
	pod := func() object {
		return object{
			"serviceAccountName": name, "runtimeClassName": value, "nodeName": value, "hostNetwork": true,
			"securityContext": object{
				"sysctls":        []any{object{"name": value, "value": "1"}},
				"seLinuxOptions": object{"user": value, "role": name, "type": kind, "level": value},
				"seccompProfile": object{"type": "Localhost", "localhostProfile": value},
			},
			"initContainers": []any{object{"name": value, "image": value, "env": []any{object{"name": "e", "valueFrom": object{"secretKeyRef": object{"name": value, "key": "k"}}}}}},
			"containers": []any{object{
				"name": name, "image": kind,
				"livenessProbe": object{"httpGet": object{"host": value, "port": 80}},
				"securityContext": object{
					"procMount":       value,
					"capabilities":    object{"add": []any{value, name}, "drop": []any{kind}},
					"appArmorProfile": object{"type": "Localhost", "localhostProfile": value},
				},
				"volumeMounts": []any{object{"name": "h", "mountPath": value}},
			}, object{"name": kind, "image": value, "securityContext": object{"privileged": true}}},
			"ephemeralContainers": []any{object{"name": value, "image": value}},
			"volumes": []any{
				object{"name": "h", "hostPath": object{"path": value}},
				object{"name": "f", "flexVolume": object{"driver": value}},
				object{"name": "c", "csi": object{"driver": name}},
				object{"name": "p", "persistentVolumeClaim": object{"claimName": value}},
			},
		}
	}
	annotations := object{
		"seccomp.security.alpha.kubernetes.io/pod":                value,
		"container.apparmor.security.beta.kubernetes.io/" + name:  value,
		"container.seccomp.security.alpha.kubernetes.io/" + value: kind,
	}
	owner := []any{object{"apiVersion": value + "/v1", "kind": kind, "name": name, "controller": true}}
	data, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": []any{
		object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": name, "namespace": "shop", "uid": uid}, "spec": object{"template": object{"metadata": object{"annotations": annotations}, "spec": pod()}}},
		object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": value, "namespace": "shop", "uid": uid, "annotations": annotations, "ownerReferences": owner}, "spec": pod()},
		object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": value, "namespace": name, "uid": uid}, "spec": pod()},
		object{"apiVersion": kind, "kind": value, "metadata": object{"name": name}},
		object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": name}, "spec": object{"containers": value}},
		// One that can be read, whatever the strings are.
		object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "good"}, "spec": object{"containers": []any{object{"name": "web"}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestInjection(t *testing.T) {
	if testing.Short() {
		t.Skip("slow with the race detector, and faster tests have the same goroutines")
	}
	t.Parallel()
	for _, s := range hostile {
		checkInjection(t, s, s, s)
		checkInjection(t, "web", s, "Kind")
		checkInjection(t, s, "value", "Kind")
		checkInjection(t, "web", "value", s)
	}
}

// TestPublishedInjection has a server hold the strings. Whatever they are, it takes
// what is published, and what is read back is what inspect prints.
func TestPublishedInjection(t *testing.T) {
	t.Parallel()
	for _, s := range hostile {
		_, config := apitest.Serve(t, stored(t, s)...)
		c := newClient(config)
		want := c.run(t.Context(), "inspect", "-n", "shop").expect(t, exitOK)
		observation := c.run(t.Context(), "inspect", "-n", "shop", "-o", "observation").expect(t, exitOK)
		publish := func() string {
			return c.run(t.Context(), "publish", "--report-namespace", "reports").expect(t, exitOK).errs
		}
		publish()
		if again := publish(); !strings.Contains(again, "; ConfigMaps: 0 created, 0 configured, 2 unchanged, 0 deleted") {
			t.Errorf("%q: the run after is not at rest: %s", s, again)
		}
		if got := c.getReport(t, "-n", "shop").expect(t, exitOK); got.out != want.out {
			t.Errorf("%q (-inspect +get-report):\n%s", s, cmp.Diff(want.out, got.out))
		}
		if got := c.getReport(t, "-n", "shop", "-o", "observation").expect(t, exitOK); got.out != observation.out {
			t.Errorf("%q (-inspect +get-report):\n%s", s, cmp.Diff(observation.out, got.out))
		}
		for _, args := range [][]string{{}, {"-n", "shop", "-o", "name"}, {"-n", "shop", "-o", "json"}} {
			r := c.getReport(t, args...).expect(t, exitOK)
			checkPrintable(t, r.out)
			checkPrintable(t, r.errs)
		}
	}
}

// stored returns a Deployment and a Pod with a string in every place that can reach
// the output, but for their namespace.
func stored(t testing.TB, s string) []runtime.Object {
	t.Helper()
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(manifests(t, s, s, s)), &list); err != nil {
		t.Fatal(err)
	}
	deployment, pod := &appsv1.Deployment{}, &corev1.Pod{}
	for i, into := range []runtime.Object{deployment, pod} {
		if err := json.Unmarshal(list.Items[i], into); err != nil {
			t.Fatal(err)
		}
	}
	return []runtime.Object{deployment, pod}
}

// The seeds combine what TestInjection has apart.
func FuzzInjection(f *testing.F) {
	f.Add("a: b", "x\n---\napiVersion: v1\n", "# a")
	f.Add("\x1b[2J", "'", "\u2028")
	f.Add(`\`, "x\nadvisor: done", "\xff")
	f.Fuzz(func(t *testing.T, name, value, kind string) { checkInjection(t, name, value, kind) })
}

// checkInjection runs the advisor on manifests that hold the strings. Whatever
// they are, the YAML holds the objects of the JSON and nothing else, comments
// are whole lines, and each line of standard error is one of the advisor's own.
func checkInjection(t *testing.T, name, value, kind string) {
	t.Helper()
	in := manifests(t, name, value, kind)
	checkReport(t, in)
	for _, level := range []string{"workload", "namespace"} {
		inspect := func(args ...string) string {
			r := run(t, in, append([]string{"inspect", "-f", "-", "--skip-invalid", "--level", level}, args...)...)
			checkErrorText(t, r.errs)
			checkPrintable(t, r.expect(t, exitOK).out)
			return r.out
		}
		items := itemsOfList(t, inspect("-o", "json"))
		if name == "plain" && len(items) < 6 {
			t.Errorf("only %d objects come out of plain strings", len(items))
		}
		plain, explained := inspect("--explain=false"), inspect()
		for _, text := range []string{plain, explained} {
			if diff := cmp.Diff(items, documentsOf(t, text)); diff != "" {
				t.Fatalf("the YAML is not the JSON (-JSON +YAML):\n%s\n%s", diff, text)
			}
		}
		if diff := cmp.Diff(plain, comment.ReplaceAllString(explained, "")); diff != "" {
			t.Fatalf("comments are not all that is added (-plain +explained):\n%s", diff)
		}
	}
}

// checkReport runs report on manifests that hold the strings, in each format.
func checkReport(t *testing.T, in string) {
	t.Helper()
	for _, format := range findingFormats {
		r := run(t, in, "report", "-f", "-", "--skip-invalid", "-o", format)
		checkErrorText(t, r.errs)
		checkPrintable(t, r.expect(t, exitOK).out)
		if format == formatJSON {
			if _, err := report.ReadFindings([]byte(r.out)); err != nil {
				t.Fatal(err)
			}
		}
		if format == formatYAML || format == formatOpenReports {
			documentsOf(t, r.out)
		}
	}
}

// comment matches the lines of comments.
var comment = regexp.MustCompile(`(?m)^ *# .*\n`)

func documentsOf(t testing.TB, text string) []any {
	t.Helper()
	objects := []any{}
	for _, doc := range strings.Split("\n"+text, "\n---\n")[1:] {
		var object any
		if err := yaml.UnmarshalStrict([]byte(doc), &object); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		objects = append(objects, object)
	}
	return objects
}

func checkPrintable(t *testing.T, text string) {
	t.Helper()
	if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Fatalf("the output holds %q, which is not printable", text[i:min(len(text), i+10)])
	}
}

// ownLine matches the beginnings of the lines that the advisor writes to
// standard error.
var ownLine = regexp.MustCompile(`^(advisor: |engine: |warning: |skipped: |not observed: |\d+ (document|object|pod|template)s? )`)

func checkErrorText(t *testing.T, text string) {
	t.Helper()
	checkPrintable(t, text)
	count := 0
	for line := range strings.Lines(text) {
		count++
		if !ownLine.MatchString(line) || !strings.HasSuffix(line, "\n") {
			t.Fatalf("standard error has the line %q", line)
		}
		if len(line) > 5000 {
			t.Fatalf("a line of %d bytes", len(line))
		}
	}
	// The summary, what was excluded and skipped, and the warnings.
	if count > 40 {
		t.Fatalf("%d lines:\n%s", count, text)
	}
}

// FuzzInput gives any bytes as a manifest: they are read, or refused in one line
// with nothing on standard output.
func FuzzInput(f *testing.F) {
	for _, s := range hostile {
		f.Add([]byte(s))
	}
	f.Add([]byte(manifests(f, "web", "x", "Kind")))
	f.Add([]byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c}]}\n---\nkind: [\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := run(t, string(data), "inspect", "-f", "-")
		checkPrintable(t, r.out)
		checkErrorText(t, r.errs)
		switch r.code {
		case exitOK:
			documentsOf(t, r.out)
		case exitUsage:
			if r.out != "" || strings.Count(r.errs, "\n") != 1 || !strings.HasPrefix(r.errs, "advisor: ") {
				t.Fatalf("a failure with %s", r)
			}
		default:
			t.Fatalf("%s", r)
		}
	})
}
