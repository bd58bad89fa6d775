package judge

import (
	"encoding/json"
	"fmt"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	"k8s.io/apimachinery/pkg/util/version"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/generated/openapi"
)

// defaultMinor is the first version in which ValidatingAdmissionPolicy is stable.
const defaultMinor = "1.30"

// compiler checks and compiles policies, and remembers them: clusters that are
// judged one after another tend to share them.
type compiler struct {
	checker *validating.TypeChecker
	known   map[string]checkedPolicy
}

type checkedPolicy struct {
	validator validating.Validator
	object    Object
}

func newCompiler() *compiler {
	return &compiler{
		// As the controller makes it (cmd/kube-controller-manager/app/validatingadmissionpolicystatus.go),
		// but for the schemas of custom resources.
		checker: &validating.TypeChecker{
			SchemaResolver: resolver.NewDefinitionsSchemaResolver(openapi.GetOpenAPIDefinitions, legacyscheme.Scheme),
			RestMapper:     testrestmapper.TestOnlyStaticRESTMapper(legacyscheme.Scheme),
		},
		known: map[string]checkedPolicy{},
	}
}

// maxKnown bounds what is remembered.
const maxKnown = 64

// compile compiles a valid policy and says what can be said about it.
func (c *compiler) compile(policy *admissionregistrationv1.ValidatingAdmissionPolicy, minor string) (checkedPolicy, error) {
	if minor == "" {
		minor = defaultMinor
	}
	key, err := json.Marshal([]any{minor, policy.Name, policy.Spec})
	if err != nil {
		return checkedPolicy{}, fmt.Errorf("encoding policy %s: %w", policy.Name, err)
	}
	if p, ok := c.known[string(key)]; ok {
		return p, nil
	}
	p := checkedPolicy{validator: compile(policy), object: Object{Kind: "ValidatingAdmissionPolicy", Name: policy.Name}}
	for _, w := range c.checker.Check(policy) {
		p.object.Warnings = append(p.object.Warnings, w.FieldRef+": "+strings.TrimSpace(w.Warning))
	}
	if p.object.Newer, err = newer(policy, minor); err != nil {
		return checkedPolicy{}, err
	}
	if len(c.known) >= maxKnown {
		clear(c.known)
	}
	c.known[string(key)] = p
	return p, nil
}

// newer lists the expressions that a server of a minor version would not accept,
// as far as that depends on its CEL libraries.
func newer(policy *admissionregistrationv1.ValidatingAdmissionPolicy, minor string) ([]string, error) {
	parsed, err := version.ParseMajorMinor(minor)
	if err != nil {
		return nil, fmt.Errorf("reading the minor version: %w", err)
	}
	composed, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(parsed))
	if err != nil {
		return nil, fmt.Errorf("making the CEL environment of %s: %w", minor, err)
	}
	e := expressionsOf(policy)
	var problems []string
	check := func(expression plugincel.ExpressionAccessor, result plugincel.CompilationResult) {
		if result.Error != nil {
			problems = append(problems, e.names[expression]+": "+result.Error.Error())
		}
	}
	declared := plugincel.OptionalVariableDeclarations{HasParams: policy.Spec.ParamKind != nil, HasAuthorizer: true}
	inMessages := plugincel.OptionalVariableDeclarations{HasParams: policy.Spec.ParamKind != nil}
	for _, v := range e.variables {
		check(v, composed.CompileAndStoreVariable(v, declared, environment.NewExpressions))
	}
	for _, expressions := range [][]plugincel.ExpressionAccessor{e.conditions, e.validations, e.annotations} {
		for _, expression := range expressions {
			check(expression, composed.CompileCELExpression(expression, declared, environment.NewExpressions))
		}
	}
	for _, expression := range e.messages {
		if expression != nil {
			check(expression, composed.CompileCELExpression(expression, inMessages, environment.NewExpressions))
		}
	}
	return problems, nil
}
