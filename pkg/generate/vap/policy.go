package vap

import (
	"fmt"

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
		o.policy(cel.PolicyName, "one for all namespaces: a pod may ask for what the permits of its namespace list, and for less", where, variables, validations),
		o.binding(cel.PolicyName, o.Enforcement, where))
	if o.UnknownAccounts == cel.WarnUnknown {
		objects = append(objects,
			o.policy(cel.AccountsName, "warns about pods of service accounts without permits", where, variables, []admissionv1.Validation{known}),
			o.binding(cel.AccountsName, cel.Warn, where))
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
			FailurePolicy:    new(admissionv1.Fail),
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: cel.Rules()},
			MatchConditions:  []admissionv1.MatchCondition{{Name: "no-mirror-pod", Expression: cel.NoMirrorPod}},
			Validations:      validations,
		},
	}
	if where == inObject {
		p.Spec.ParamKind = &admissionv1.ParamKind{APIVersion: group + "/" + version, Kind: kind}
	}
	for _, v := range variables {
		p.Spec.Variables = append(p.Spec.Variables, admissionv1.Variable{Name: v.Name, Expression: v.Expression})
	}
	text := append([]string{"spec.matchConditions[0].expression"}, cel.Lines("spec.variables", variables)...)
	return generate.Object{Value: p, Title: title, Text: text}
}

// binding binds the policy of a name to the covered namespaces.
func (o Options) binding(name string, enforcement cel.Enforcement, where string) generate.Object {
	b := &admissionv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: generate.Labels()},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        name,
			ValidationActions: enforcement.Actions(),
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
	return generate.Object{Value: b, Title: title, Reasons: generate.Reasons{"spec.validationActions": {
		enforcement.Next("admitted and audited", "admitted, with a warning and an audit annotation"),
	}}}
}

// policy is a ValidatingAdmissionPolicy without its status.
type policy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec admissionv1.ValidatingAdmissionPolicySpec `json:"spec"`
}
