package vap

import (
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// policies returns the policy and its binding, and those for unknown accounts if they
// are judged apart. text are the variables that give the text of the permits, as
// variables.text; where is the label of the namespaces that are covered.
func (o Options) policies(text []cel.Variable, where string) []generate.Object {
	variables := append(text, cel.Core(cel.Source{Object: "object", Text: "variables.text"})...) //nolint:gocritic // text is ours
	known, beyond := validation(cel.Known), validation(cel.Beyond)
	var objects []generate.Object
	if o.Params == CRD && where == inObject {
		objects = append(objects, definition())
	}
	validations := []admissionv1.Validation{known, beyond}
	if o.UnknownAccounts == cel.WarnUnknown || o.UnknownAccounts == cel.AllowUnknown {
		validations = validations[1:]
	}
	objects = append(objects,
		o.policy(PolicyName, "one for all namespaces: a pod may ask for what the permits of its namespace list, and for less", where, variables, validations),
		o.binding(PolicyName, o.Enforcement, where))
	if o.UnknownAccounts == cel.WarnUnknown {
		objects = append(objects,
			o.policy(AccountsName, "warns about pods of service accounts without permits", where, variables, []admissionv1.Validation{known}),
			o.binding(AccountsName, cel.Warn, where))
	}
	return objects
}

func validation(v cel.Validation) admissionv1.Validation {
	return admissionv1.Validation{
		Expression: v.Expression, Message: v.Message, MessageExpression: v.MessageExpression,
		Reason: new(metav1.StatusReasonForbidden),
	}
}

// policy returns the policy of a name.
func (o Options) policy(name, title, where string, variables []cel.Variable, validations []admissionv1.Validation) generate.Object {
	p := &policy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: generate.Labels()},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: new(admissionv1.Fail),
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
				rule(admissionv1.Create, "pods"),
				// Of a pod that exists, nothing else that asks for something can change.
				rule(admissionv1.Update, "pods/ephemeralcontainers"),
			}},
			MatchConditions: []admissionv1.MatchCondition{{Name: "no-mirror-pod", Expression: cel.NoMirrorPod}},
			Validations:     validations,
		},
	}
	if where == inObject {
		p.Spec.ParamKind = &admissionv1.ParamKind{APIVersion: group + "/" + version, Kind: kind}
	}
	object := generate.Object{Value: p, Title: title, Text: []string{"spec.matchConditions[0].expression"}}
	for i, v := range variables {
		p.Spec.Variables = append(p.Spec.Variables, admissionv1.Variable{Name: v.Name, Expression: v.Expression})
		if strings.Contains(v.Expression, "\n") {
			object.Text = append(object.Text, generate.Item("spec.variables", i)+".expression")
		}
	}
	return object
}

func rule(operation admissionv1.OperationType, resource string) admissionv1.NamedRuleWithOperations {
	return admissionv1.NamedRuleWithOperations{RuleWithOperations: admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{operation},
		Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{resource}},
	}}
}

// binding binds the policy of a name to the covered namespaces.
func (o Options) binding(name string, enforcement cel.Enforcement, where string) generate.Object {
	b := &admissionv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: generate.Labels()},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        name,
			ValidationActions: actionsOf(enforcement),
			MatchResources:    &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{cel.Key: where}}},
		},
	}
	if where == inObject {
		b.Spec.ParamRef = &admissionv1.ParamRef{Name: permitsName, ParameterNotFoundAction: new(admissionv1.DenyAction)}
	}
	title := fmt.Sprintf("for the namespaces with the label %s=%s", cel.Key, where)
	if b.Spec.ParamRef != nil {
		title += "; one without permits refuses all pods, whatever the actions"
	}
	return generate.Object{Value: b, Title: title, Reasons: generate.Reasons{"spec.validationActions": {next(enforcement)}}}
}

// policy is a ValidatingAdmissionPolicy without its status.
type policy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec admissionv1.ValidatingAdmissionPolicySpec `json:"spec"`
}

// textOf returns the variable of the text of the permits of a namespace.
func textOf(p Params) []cel.Variable {
	if p == CRD {
		return []cel.Variable{{Name: "text", Expression: "params.spec.permits"}}
	}
	return cel.AnnotationText()
}
