package kyverno

import (
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	group   = "policies.kyverno.io"
	version = "v1"
	kind    = "ValidatingPolicy"
)

// description says in the policy itself what Kyverno takes from what it promises.
const description = "A pod may ask for what the permits of its namespace list for its service account, and for less. " +
	"Unlike a ValidatingAdmissionPolicy, this one is not in force in the namespaces and for the users that Kyverno's ConfigMap excludes, " +
	"which by default are kube-system, kube-public, kube-node-lease, Kyverno's own namespace, and the group system:nodes; " +
	"nor for pods that a PolicyException exempts. " +
	"Reports on existing pods do not know who created them, and list mirror pods as failures."

// policy is a ValidatingPolicy without its status. Its type is in a module that brings
// much more than this object (github.com/kyverno/api/api/policies.kyverno.io/v1).
type policy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec policySpec `json:"spec"`
}

type policySpec struct {
	ValidationActions []admissionv1.ValidationAction `json:"validationActions"`
	FailurePolicy     admissionv1.FailurePolicyType  `json:"failurePolicy"`
	MatchConstraints  admissionv1.MatchResources     `json:"matchConstraints"`
	MatchConditions   []admissionv1.MatchCondition   `json:"matchConditions"`
	Autogen           autogen                        `json:"autogen"`
	Variables         []cel.Variable                 `json:"variables"`
	Validations       []admissionv1.Validation       `json:"validations"`
}

type autogen struct {
	PodControllers podControllers `json:"podControllers"`
}

type podControllers struct {
	Controllers []string `json:"controllers"`
}

// policies returns the policy, and the one for unknown accounts if they are judged
// apart: the actions of a policy are for all of its validations. text are the variables
// of the text of the permits, as variables.text; where is the label of the namespaces
// that are covered.
func (o Options) policies(text []cel.Variable, where string) []generate.Object {
	variables := append(text, cel.Core(cel.Source{Object: "object", Text: "variables.text"})...) //nolint:gocritic // text is ours
	const title = "one for all namespaces with the label " + cel.Key + "="
	if o.UnknownAccounts != cel.WarnUnknown && o.UnknownAccounts != cel.AllowUnknown {
		return []generate.Object{newPolicy(cel.PolicyName, title+where, where, o.Enforcement, variables, cel.Known, cel.Beyond)}
	}
	objects := []generate.Object{newPolicy(cel.PolicyName, title+where, where, o.Enforcement, variables, cel.Beyond)}
	if o.UnknownAccounts == cel.WarnUnknown {
		objects = append(objects, newPolicy(cel.AccountsName, "warns about pods of service accounts without permits", where, cel.Warn, variables, cel.Known))
	}
	return objects
}

func newPolicy(name, title, where string, e cel.Enforcement, variables []cel.Variable, validations ...cel.Validation) generate.Object {
	p := &policy{
		TypeMeta:   metav1.TypeMeta{APIVersion: group + "/" + version, Kind: kind},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: generate.Labels(), Annotations: map[string]string{"policies.kyverno.io/description": description}},
		Spec: policySpec{
			ValidationActions: e.Actions(),
			FailurePolicy:     admissionv1.Fail,
			MatchConstraints: admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{cel.Key: where}},
				ResourceRules:     cel.Rules(),
			},
			MatchConditions: []admissionv1.MatchCondition{{Name: "no-mirror-pod", Expression: cel.NoMirrorPod}},
			// A template is not a pod yet: it may have no service account.
			Autogen:   autogen{PodControllers: podControllers{Controllers: []string{}}},
			Variables: variables,
		},
	}
	for _, v := range validations {
		p.Spec.Validations = append(p.Spec.Validations, admissionv1.Validation{Expression: v.Expression, Message: v.Message, MessageExpression: v.MessageExpression})
	}
	return generate.Object{
		Value: p, Title: title,
		Reasons: generate.Reasons{
			// Audit means reports.
			"spec.validationActions": {e.Next("admitted and reported", "admitted, with a warning, and reported")},
			"spec.autogen":           {"only pods are judged: a template gets its defaults later"},
		},
		Text: append([]string{"spec.matchConditions[0].expression"}, cel.Lines("spec.variables", variables)...),
	}
}
