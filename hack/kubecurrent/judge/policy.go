package judge

import (
	"context"
	"fmt"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/environment"
)

// expressions are those of a policy, in the form in which the plugin compiles
// them.
type expressions struct {
	variables   []plugincel.NamedExpressionAccessor
	conditions  []plugincel.ExpressionAccessor
	validations []plugincel.ExpressionAccessor
	messages    []plugincel.ExpressionAccessor // nil where a validation has none
	annotations []plugincel.ExpressionAccessor
	// names tells where each one stands.
	names map[plugincel.ExpressionAccessor]string
}

func expressionsOf(policy *admissionregistrationv1.ValidatingAdmissionPolicy) expressions {
	e := expressions{names: map[plugincel.ExpressionAccessor]string{}}
	for _, v := range policy.Spec.Variables {
		variable := &validating.Variable{Name: v.Name, Expression: v.Expression}
		e.variables = append(e.variables, variable)
		e.names[variable] = "variables." + v.Name
	}
	for i := range policy.Spec.MatchConditions {
		condition := (*matchconditions.MatchCondition)(&policy.Spec.MatchConditions[i])
		e.conditions = append(e.conditions, condition)
		e.names[condition] = "matchConditions." + condition.Name
	}
	for i, v := range policy.Spec.Validations {
		validation := &validating.ValidationCondition{Expression: v.Expression, Message: v.Message, Reason: v.Reason}
		e.validations = append(e.validations, validation)
		e.names[validation] = fmt.Sprintf("validations[%d].expression", i)
		if v.MessageExpression == "" {
			e.messages = append(e.messages, nil)
			continue
		}
		message := &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}
		e.messages = append(e.messages, message)
		e.names[message] = messageName(i)
	}
	for _, a := range policy.Spec.AuditAnnotations {
		annotation := &validating.AuditAnnotationCondition{Key: a.Key, ValueExpression: a.ValueExpression}
		e.annotations = append(e.annotations, annotation)
		e.names[annotation] = "auditAnnotations." + a.Key
	}
	return e
}

func messageName(validation int) string {
	return fmt.Sprintf("validations[%d].messageExpression", validation)
}

// compile does what the plugin does with a policy
// (apiserver/pkg/admission/plugin/policy/validating/plugin.go, compilePolicy), but
// with programs that report their costs. A test compares its verdicts with the
// plugin's.
func compile(policy *admissionregistrationv1.ValidatingAdmissionPolicy) validating.Validator {
	e := expressionsOf(policy)
	failure := policy.Spec.FailurePolicy
	compiler, err := newMetered(e.names)
	if err != nil {
		return validating.NewValidator(nil, nil, nil, nil, failure, err)
	}
	declared := plugincel.OptionalVariableDeclarations{HasParams: policy.Spec.ParamKind != nil, HasAuthorizer: true}
	inMessages := plugincel.OptionalVariableDeclarations{HasParams: policy.Spec.ParamKind != nil}
	compiler.CompileAndStoreVariables(e.variables, declared, environment.StoredExpressions)
	var matcher matchconditions.Matcher
	if len(e.conditions) > 0 {
		matcher = matchconditions.NewMatcher(compiler.CompileCondition(e.conditions, declared, environment.StoredExpressions),
			failure, "policy", "validate", policy.Name)
	}
	return validator{policy: policy.Name, Validator: validating.NewValidator(
		compiler.CompileCondition(e.validations, declared, environment.StoredExpressions),
		matcher,
		compiler.CompileCondition(e.annotations, declared, environment.StoredExpressions),
		compiler.CompileCondition(e.messages, inMessages, environment.StoredExpressions),
		failure, nil)}
}

// newMetered returns the plugin's compiler, whose programs report their costs.
func newMetered(names map[plugincel.ExpressionAccessor]string) (*plugincel.CompositedCompiler, error) {
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return nil, fmt.Errorf("making the CEL environment: %w", err)
	}
	m := metered{Compiler: compiler.Compiler, names: names}
	compiler.Compiler, compiler.ConditionCompiler = m, m
	return compiler, nil
}

// validator is the plugin's, which also writes down what it decides.
type validator struct {
	validating.Validator
	policy string
}

// Validate implements validating.Validator.
func (v validator) Validate(ctx context.Context, resource schema.GroupVersionResource, attributes *admission.VersionedAttributes, params runtime.Object, namespace *corev1.Namespace, budget int64, authz authorizer.UnconditionalAuthorizer) validating.ValidateResult {
	m := &meter{}
	result := v.Validator.Validate(withMeter(ctx, m), resource, attributes, params, namespace, budget, authz)
	if record, ok := attributes.Attributes.(*record); ok {
		record.decided(v.policy, m, result)
	}
	return result
}

// record is a request whose verdict is being written. It belongs to one
// goroutine.
type record struct {
	admission.Attributes
	verdict *Verdict
	binding string // the one that is being evaluated
}

// AddAnnotation keeps annotations for the audit log.
func (r *record) AddAnnotation(key, value string) error {
	if err := r.Attributes.AddAnnotation(key, value); err != nil {
		return err
	}
	r.verdict.annotate(key, value)
	return nil
}

func (v *Verdict) annotate(key, value string) {
	if v.AuditAnnotations == nil {
		v.AuditAnnotations = map[string]string{}
	}
	v.AuditAnnotations[key] = value
}

// decided writes down what a policy decided for one binding and parameter.
func (r *record) decided(policy string, m *meter, result validating.ValidateResult) {
	if r.verdict.Costs == nil {
		r.verdict.Costs = map[string]Cost{}
	}
	cost := r.verdict.Costs[policy]
	cost.Total += m.Total
	if m.Worst > cost.Worst {
		cost.Worst, cost.Expression = m.Worst, m.Expression
	}
	r.verdict.Costs[policy] = cost

	failed := func(message string) {
		r.verdict.Errors = append(r.verdict.Errors, EvaluationError{
			Policy: policy, Binding: r.binding, Message: message,
			CostExceeded: m.limited || strings.Contains(message, "running out of cost budget"),
		})
	}
	for i, d := range result.Decisions {
		switch d.Evaluation {
		case validating.EvalError:
			failed(d.Message)
		case validating.EvalDeny:
			denial := Denial{Policy: policy, Binding: r.binding, Validation: i, Message: d.Message, Reason: string(d.Reason)}
			if err := m.errs[messageName(i)]; err != nil {
				denial.MessageError = err.Error()
			}
			r.verdict.Denials = append(r.verdict.Denials, denial)
		case validating.EvalAdmit:
		}
	}
	for _, a := range result.AuditAnnotations {
		if a.Action == validating.AuditAnnotationActionError {
			failed(a.Error)
		}
	}
}
