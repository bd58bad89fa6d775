// Package kube130 shows the policies to the admission code of Kubernetes 1.30, the first
// release that serves ValidatingAdmissionPolicy as v1.
package kube130

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"
)

// root is the top of the repository, which is another module.
var root = filepath.Join("..", "..")

// buildAdvisor builds the advisor once for a test. It is run as a program: its module
// has a newer Kubernetes than this one.
func buildAdvisor(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "advisor")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/advisor")
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the advisor: %v\n%s", err, output)
	}
	return binary
}

// inspect runs `advisor inspect` on manifests and returns the policies.
func inspect(t *testing.T, advisor string, manifests []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(advisor, append([]string{"inspect", "-f", "-", "--engine", "vap"}, args...)...)
	cmd.Stdin = bytes.NewReader(manifests)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, errs.String())
	}
	return output
}

// documents splits a stream of YAML documents.
func documents(t *testing.T, stream []byte) []map[string]any {
	t.Helper()
	var objects []map[string]any
	for document := range bytes.SplitSeq(append([]byte("\n"), stream...), []byte("\n---\n")) {
		var object map[string]any
		if err := yaml.Unmarshal(document, &object); err != nil {
			t.Fatal(err)
		}
		if object != nil {
			objects = append(objects, object)
		}
	}
	return objects
}

// read returns an object as its type.
func read[T any](t *testing.T, object map[string]any) *T {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	typed, decoder := new(T), json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(typed); err != nil {
		t.Fatalf("%s %v", object["kind"], err)
	}
	return typed
}

// TestExamples: a server of 1.30 takes the examples.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "examples", "*", "vap-*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 2 {
		t.Fatalf("found %d examples", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			check(t, documents(t, data))
		})
	}
}

// check fails for every expression that does not compile: as a server checks new
// policies, with the libraries of 1.29, and as its plugin compiles those that are
// stored, with strict costs, which are behind a feature gate, or without.
func check(t *testing.T, objects []map[string]any) {
	t.Helper()
	n := 0
	for _, object := range objects {
		if object["kind"] != "ValidatingAdmissionPolicy" {
			continue
		}
		n++
		policy := read[admissionv1.ValidatingAdmissionPolicy](t, object)
		for _, mode := range []environment.Type{environment.NewExpressions, environment.StoredExpressions} {
			for _, strict := range []bool{true, false} {
				for _, problem := range problems(t, policy, mode, strict) {
					t.Errorf("policy %s, %s, strict cost %t: %s", policy.Name, mode, strict, problem)
				}
			}
		}
	}
	if n == 0 {
		t.Error("no policy")
	}
}

// problems are the expressions of a policy that do not compile.
func problems(t *testing.T, policy *admissionv1.ValidatingAdmissionPolicy, mode environment.Type, strict bool) []string {
	t.Helper()
	set := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion(), strict)
	compiler, err := plugincel.NewCompositedCompiler(set)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	note := func(name string, result plugincel.CompilationResult) {
		if result.Error != nil {
			list = append(list, name+": "+result.Error.Error())
		}
	}
	declared := plugincel.OptionalVariableDeclarations{HasParams: policy.Spec.ParamKind != nil, HasAuthorizer: true, StrictCost: strict}
	inMessages := plugincel.OptionalVariableDeclarations{HasParams: policy.Spec.ParamKind != nil, StrictCost: strict}
	for _, v := range policy.Spec.Variables {
		note("variable "+v.Name, compiler.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, declared, mode))
	}
	for i := range policy.Spec.MatchConditions {
		condition := (*matchconditions.MatchCondition)(&policy.Spec.MatchConditions[i])
		note("condition "+condition.Name, compiler.CompileCELExpression(condition, declared, mode))
	}
	for _, v := range policy.Spec.Validations {
		note(v.Expression, compiler.CompileCELExpression(&validating.ValidationCondition{Expression: v.Expression}, declared, mode))
		if v.MessageExpression != "" {
			note(v.MessageExpression, compiler.CompileCELExpression(&validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}, inMessages, mode))
		}
	}
	return list
}

// TestCheck: the check notices what only later servers know.
func TestCheck(t *testing.T) {
	policy := &admissionv1.ValidatingAdmissionPolicy{Spec: admissionv1.ValidatingAdmissionPolicySpec{
		Variables:   []admissionv1.Variable{{Name: "short", Expression: `format.dns1123Label().validate("a")`}}, // 1.31
		Validations: []admissionv1.Validation{{Expression: "1", MessageExpression: "true"}},
	}}
	got := problems(t, policy, environment.StoredExpressions, true)
	if len(got) != 3 || !slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, "variable short: compilation failed") }) {
		t.Errorf("got %q, want three problems", got)
	}
}
