package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/generate/gatekeeper"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// gatekeeperEngine is judged by gator, 0.05 s for each pod where there are hundreds of
// constraints. It takes a request, which has a user, only as a case of a suite, which
// says what is expected.
var gatekeeperEngine = engine{
	name: "gatekeeper",
	build: func(v variant) generate.Engine {
		return gatekeeper.Engine(gatekeeper.Options{Enforcement: v.enforcement, UnknownAccounts: v.unknown})
	},
	sample:    2000,
	debugging: true,
	judge:     judgeByGator,
}

func judgeByGator(ctx context.Context, root string, outputs []generate.Output, cases []testCase) (map[string]string, error) {
	var policies []any
	for _, output := range outputs {
		for _, object := range output.Objects() {
			policies = append(policies, object.Value)
		}
	}
	var plain, special []testCase
	for _, c := range cases {
		if c.special() {
			special = append(special, c)
		} else {
			plain = append(plain, c)
		}
	}
	got, err := testByGator(ctx, root, policies, plain)
	if err != nil {
		return nil, err
	}
	return got, verifyByGator(ctx, root, policies, special, got)
}

// testByGator returns what gator says about pods, which audits would say too.
func testByGator(ctx context.Context, root string, policies []any, cases []testCase) (map[string]string, error) {
	out, err := program(ctx, root, "gator", map[string][]any{"policies.yaml": policies, "pods.yaml": podsOf(cases)},
		"test", "--filename", "policies.yaml", "--filename", "pods.yaml", "--output", "json")
	if err != nil {
		return nil, err
	}
	var violations []struct {
		Msg               string `json:"msg"`
		EnforcementAction string `json:"enforcementAction"`
		ViolatingObject   struct {
			Metadata struct{ Name string }
		} `json:"violatingObject"`
	}
	if err := json.Unmarshal(out, &violations); err != nil {
		return nil, fmt.Errorf("reading the violations of gator: %w: %.200s", err, out)
	}
	got := map[string]string{}
	for _, c := range cases {
		got[c.pod.Name] = ""
	}
	for _, v := range violations {
		name := v.ViolatingObject.Metadata.Name
		got[name] = strings.TrimPrefix(got[name]+"; "+said(actions[v.EnforcementAction], v.Msg), "; ")
	}
	return got, nil
}

// actions are Gatekeeper's words for what is done about a pod.
var actions = map[string]cel.Enforcement{"deny": cel.Deny, "warn": cel.Warn, "dryrun": cel.Audit}

// passed matches a case of a suite that is as expected.
var passed = regexp.MustCompile(`(?m)^ *--- PASS: (\S+)`)

// verifyByGator adds to got what gator says about requests: what vap does, if it says
// that this is right.
func verifyByGator(ctx context.Context, root string, policies []any, cases []testCase, got map[string]string) error {
	files := map[string][]any{"template.yaml": policies[:1]}
	tests := map[string][]any{}       // by the file of the constraint
	expected := map[string][]string{} // cases of the suite by the name of the pod
	add := func(c testCase, name string, review *admissionv1.AdmissionReview) {
		files[name+".yaml"] = []any{review}
		for i, p := range policies[1:] {
			action, covered := covers(p, c.pod.Namespace)
			if !covered {
				continue
			}
			// A suite has one constraint per test.
			constraint, test := fmt.Sprintf("constraint%d.yaml", i), fmt.Sprintf("%s-%d", name, i)
			files[constraint] = []any{p}
			assertion := map[string]any{"violations": 0}
			if c.message != "" && action == c.action {
				assertion = map[string]any{"violations": 1, "message": "^" + regexp.QuoteMeta(c.message) + "$"}
			}
			tests[constraint] = append(tests[constraint], map[string]any{"name": test, "object": name + ".yaml", "assertions": []any{assertion}})
			expected[c.pod.Name] = append(expected[c.pod.Name], test)
		}
	}
	for _, c := range cases {
		review, err := reviewOf(c)
		if err != nil {
			return err
		}
		add(c, c.pod.Name, review)
		if c.debugging {
			// An update of the pod itself, which cannot make it ask for more.
			review := review.DeepCopy()
			review.Request.SubResource = ""
			add(testCase{pod: c.pod}, c.pod.Name+"-update", review)
		}
	}
	suite := map[string]any{"apiVersion": "test.gatekeeper.sh/v1alpha1", "kind": "Suite", "metadata": map[string]any{"name": "suite"}}
	var list []any
	for constraint, cases := range tests {
		list = append(list, map[string]any{"name": constraint, "template": "template.yaml", "constraint": constraint, "cases": cases})
	}
	suite["tests"] = list
	files["suite.yaml"] = []any{suite}
	out, err := program(ctx, root, "gator", files, "verify", "--verbose", "suite.yaml")
	if err != nil {
		return err
	}
	ok := map[string]bool{}
	for _, match := range passed.FindAllStringSubmatch(string(out), -1) {
		ok[match[1]] = true
	}
	for _, c := range cases {
		got[c.pod.Name] = c.said()
		if tests := expected[c.pod.Name]; len(tests) == 0 || slices.ContainsFunc(tests, func(t string) bool { return !ok[t] }) {
			got[c.pod.Name] = "gator verify expects something else"
		}
	}
	return nil
}

// reviewOf returns the request of a case as the server sends it to webhooks.
func reviewOf(c testCase) (*admissionv1.AdmissionReview, error) {
	raw, err := json.Marshal(c.pod)
	if err != nil {
		return nil, fmt.Errorf("writing a pod: %w", err)
	}
	request := &admissionv1.AdmissionRequest{
		UID:       "x",
		Kind:      metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
		Resource:  metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
		Name:      c.pod.Name,
		Namespace: c.pod.Namespace,
		Operation: admissionv1.Create,
		Object:    runtime.RawExtension{Raw: raw},
	}
	if c.user != nil {
		request.UserInfo = authenticationv1.UserInfo{Username: c.user.Username, Groups: c.user.Groups}
	}
	if c.debugging {
		request.Operation, request.SubResource = admissionv1.Update, "ephemeralcontainers"
	}
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request:  request,
	}, nil
}

// covers returns what a constraint does about pods, and whether it is for a namespace.
func covers(constraint any, namespace string) (cel.Enforcement, bool) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(constraint)
	if err != nil {
		return "", false
	}
	action, _, _ := unstructured.NestedString(fields, "spec", "enforcementAction")
	list, _, _ := unstructured.NestedStringSlice(fields, "spec", "match", "namespaces") // absent: none
	return actions[action], slices.Contains(list, namespace)
}
