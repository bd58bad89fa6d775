package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	appsv1beta1 "k8s.io/api/apps/v1beta1"
	appsv1beta2 "k8s.io/api/apps/v1beta2"
	batchv1beta1 "k8s.io/api/batch/v1beta1"
	corev1 "k8s.io/api/core/v1"
	extensionsv1beta1 "k8s.io/api/extensions/v1beta1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func warningsOf(t *testing.T, stream string) []string {
	t.Helper()
	var list []string
	for _, w := range read(t, stream, everything).Warnings {
		list = append(list, w.String())
	}
	return list
}

// Fields that the API does not have, and those that are given twice, are reported
// with their path and, if asked for, refused.
func TestValidation(t *testing.T) {
	deployment := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: {spec: {hostPid: true, containers: [{name: c, securityContext: {privilged: true}}]}}}\n"
	for _, tc := range []struct {
		name, stream string
		want         []string
	}{
		{"none", podText("a") + "---\n" + jsonPod, nil},
		{"a field of another case", podText("a", "  hostPid: true\n"), []string{`stdin: document 1 (line 1): Pod "a": unknown field "spec.hostPid"`}},
		{"deep in a template", podText("a") + "---\n" + deployment, []string{
			`stdin: document 2 (line 7): Deployment "shop/web": unknown field "spec.template.spec.containers[0].securityContext.privilged"`,
			`stdin: document 2 (line 7): Deployment "shop/web": unknown field "spec.template.spec.hostPid"`,
		}},
		{"in a service account", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\nautomount: false\n", []string{`stdin: document 1 (line 1): ServiceAccount "a": unknown field "automount"`}},
		{"in an item", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, x: y}\n- {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {hostIpc: true, containers: [{name: c}]}}\n", []string{
			`stdin: document 1 (line 1): items[1]: Pod "a": unknown field "spec.hostIpc"`,
		}},
		{"given twice", podText("a", "  hostPID: true\n  hostPID: false\n"), []string{`stdin: document 1 (line 1): Pod "a": duplicate field "spec.hostPID": the last one is used`}},
		{"given twice, in JSON", strings.Replace(jsonPod, `"spec":{`, `"spec":{"hostPID":true,"hostPID":false,`, 1), []string{
			`stdin: document 1 (line 1): Pod "j": duplicate field "spec.hostPID": the last one is used`,
		}},
		{"given twice in an item", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, name: d}]}}\n- {kind: Secret, apiVersion: v1, a: 1, a: 2}\n", []string{
			`stdin: document 1 (line 1): items[0]: Pod "a": duplicate field "spec.containers[0].name": the last one is used`,
		}},
		{"items given twice", "apiVersion: v1\nkind: List\nitems: []\nitems:\n- " + jsonPod + "\n", []string{`stdin: document 1 (line 1): List "": duplicate field "items": the last one is used`}},
		{"items given twice, in JSON", `{"apiVersion":"v1","kind":"List","items":[],"items":[` + jsonPod + "]}", []string{`stdin: document 1 (line 1): List "": duplicate field "items": the last one is used`}},
		{"a kind given twice", podText("a", "kind: Secret\n"), []string{`stdin: document 1 (line 1): Secret "a": duplicate field "kind": the last one is used`}},
		{"a kind given twice, in JSON", strings.TrimSuffix(jsonPod, "}") + `,"kind":"Secret"}`, []string{`stdin: document 1 (line 1): Secret "j": duplicate field "kind": the last one is used`}},
		{"in a kind that is not read", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b, a: c}\n", nil},
		{"a field that a merge sets too", "apiVersion: v1\nkind: Pod\nmetadata: &m {name: a}\nspec: {containers: [{<<: *m, name: c}]}\n", nil},
		{"fields of old groups", "apiVersion: extensions/v1beta1\nkind: DaemonSet\nmetadata: {name: d}\nspec: {templateGeneration: 1, template: {spec: {containers: [{name: c}]}}}\n", nil},
		{
			"many", podText("a", "  a: 1\n  b: 1\n  c: 1\n  d: 1\n  e: 1\n  f: 1\n  g: 1\n  h: 1\n  i: 1\n  j: 1\n  k: 1\n  l: 1\n"),
			[]string{
				`stdin: document 1 (line 1): Pod "a": and 2 more`,
				`stdin: document 1 (line 1): Pod "a": unknown field "spec.a"`, `stdin: document 1 (line 1): Pod "a": unknown field "spec.b"`,
				`stdin: document 1 (line 1): Pod "a": unknown field "spec.c"`, `stdin: document 1 (line 1): Pod "a": unknown field "spec.d"`,
				`stdin: document 1 (line 1): Pod "a": unknown field "spec.e"`, `stdin: document 1 (line 1): Pod "a": unknown field "spec.f"`,
				`stdin: document 1 (line 1): Pod "a": unknown field "spec.g"`, `stdin: document 1 (line 1): Pod "a": unknown field "spec.h"`,
				`stdin: document 1 (line 1): Pod "a": unknown field "spec.i"`, `stdin: document 1 (line 1): Pod "a": unknown field "spec.j"`,
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, warningsOf(t, tc.stream)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			with := func(v Validation) (*observe.Observation, error) {
				return Read(t.Context(), []string{Stdin}, Options{Validation: v, In: strings.NewReader(tc.stream)}, everything)
			}
			obs, err := with(ValidateIgnore)
			if err != nil || obs.Warnings != nil {
				t.Errorf("warnings %v, error %v where they are ignored", obs, err)
			}
			obs, err = with(ValidateStrict)
			switch {
			case (err != nil) != (tc.want != nil):
				t.Errorf("error %v in strict mode", err)
			case err != nil && !strings.Contains(err.Error(), "field"):
				t.Errorf("error %v, want one about fields", err)
			case err == nil && obs.Warnings != nil:
				t.Errorf("warnings %v in strict mode", obs.Warnings)
			}
		})
	}
}

// An Observation that gives a field twice is refused, whatever the validation: gaps
// would be lost.
func TestObservationGivesFieldsOnce(t *testing.T) {
	const fields = "apiVersion: psp-advisor.github.io/v1\nkind: Observation\nscope: {sources: [pods]}\nworkloads: []\ncoverage: {}\n"
	const inJSON = `{"apiVersion":"psp-advisor.github.io/v1","kind":"Observation","scope":{"sources":["pods"]},"workloads":[],"coverage":{}`
	list := func(item string) string { return `{apiVersion: v1, kind: List, items: [` + item + `]}` }
	for _, tc := range []struct{ name, stream, want string }{
		{"once", fields, ""},
		{"twice", fields + "coverage: {}\n", `duplicate field "coverage"`},
		{"twice, deep", strings.Replace(fields, "coverage: {}", "coverage: {gaps: [{resource: pods, reason: Forbidden}], gaps: []}", 1), `duplicate field "coverage.gaps"`},
		{"twice in an item", list(inJSON + `, coverage: {}}`), `items[0]: reading the observation: duplicate field "coverage"`},
		{"twice, in JSON", inJSON + `,"coverage":{}}`, `duplicate field "coverage"`},
		{"in two cases", fields + "Coverage: {}\n", `unknown field "Coverage"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Read(t.Context(), []string{Stdin}, Options{Validation: ValidateIgnore, In: strings.NewReader(tc.stream)}, everything)
			if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want one with %q", err, tc.want)
			}
		})
	}
}

// Objects of older versions decode as those of today: their types have the same
// fields, but for olderFields.
func TestOlderFields(t *testing.T) {
	var missing []string
	for kind, older := range map[string][]any{
		"Deployment":  {extensionsv1beta1.Deployment{}, appsv1beta1.Deployment{}, appsv1beta2.Deployment{}},
		"ReplicaSet":  {extensionsv1beta1.ReplicaSet{}, appsv1beta2.ReplicaSet{}},
		"DaemonSet":   {extensionsv1beta1.DaemonSet{}, appsv1beta2.DaemonSet{}},
		"StatefulSet": {appsv1beta1.StatefulSet{}, appsv1beta2.StatefulSet{}},
		"CronJob":     {batchv1beta1.CronJob{}},
	} {
		today := map[string]string{}
		addFields(today, reflect.TypeOf(newObject(kind)).Elem(), "")
		for _, o := range older {
			fields := map[string]string{}
			addFields(fields, reflect.TypeOf(o), "")
			for path, kind := range fields {
				if today[path] != kind && !strings.HasPrefix(path, "spec.rollbackTo.") {
					missing = append(missing, fmt.Sprintf("unknown field %q", path))
				}
			}
		}
	}
	slices.Sort(missing)
	if diff := cmp.Diff(olderFields, slices.Compact(missing)); diff != "" {
		t.Errorf("fields of older versions alone (-want +got):\n%s", diff)
	}
}

// addFields adds the fields of a type by their path in JSON, with the kind of value.
func addFields(fields map[string]string, t reflect.Type, path string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if path != "" {
		fields[path] = t.Kind().String()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() == reflect.TypeFor[corev1.PodTemplateSpec]().PkgPath() || t.PkgPath() == reflect.TypeFor[resource.Quantity]().PkgPath() {
		return // the same type in all versions
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		addFields(fields, f.Type, strings.TrimPrefix(path+"."+name, "."))
	}
}
