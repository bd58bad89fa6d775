package kyverno

import (
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	group   = "policies.kyverno.io"
	version = "v1"
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
		return []generate.Object{newPolicy(PolicyName, title+where, where, o.Enforcement, variables, cel.Known, cel.Beyond)}
	}
	objects := []generate.Object{newPolicy(PolicyName, title+where, where, o.Enforcement, variables, cel.Beyond)}
	if o.UnknownAccounts == cel.WarnUnknown {
		objects = append(objects, newPolicy(AccountsName, "warns about pods of service accounts without permits", where, cel.Warn, variables, cel.Known))
	}
	return objects
}

func newPolicy(name, title, where string, e cel.Enforcement, variables []cel.Variable, validations ...cel.Validation) generate.Object {
	p := &policy{
		TypeMeta:   metav1.TypeMeta{APIVersion: group + "/" + version, Kind: "ValidatingPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: generate.Labels(), Annotations: map[string]string{"policies.kyverno.io/description": description}},
		Spec: policySpec{
			ValidationActions: actionsOf(e),
			FailurePolicy:     admissionv1.Fail,
			MatchConstraints: admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{cel.Key: where}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{
					rule(admissionv1.Create, "pods"),
					// Of a pod that exists, nothing else that asks for something can change.
					rule(admissionv1.Update, "pods/ephemeralcontainers"),
				},
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
	object := generate.Object{
		Value: p, Title: title,
		Reasons: generate.Reasons{
			"spec.validationActions": {next(e)},
			"spec.autogen":           {"only pods are judged: a template gets its defaults later"},
		},
		Text: []string{"spec.matchConditions[0].expression"},
	}
	for i, v := range variables {
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

// actionsOf returns the actions of a policy: Audit means reports.
func actionsOf(e cel.Enforcement) []admissionv1.ValidationAction {
	switch e {
	case cel.Deny:
		return []admissionv1.ValidationAction{admissionv1.Deny, admissionv1.Audit}
	case cel.Audit:
		return []admissionv1.ValidationAction{admissionv1.Audit}
	default:
		return []admissionv1.ValidationAction{admissionv1.Warn, admissionv1.Audit}
	}
}

// next says in one line how to go on from an enforcement.
func next(e cel.Enforcement) string {
	switch e {
	case cel.Deny:
		return "pods that go beyond the permits are refused"
	case cel.Audit:
		return "pods that go beyond the permits are admitted and reported; the next step is --enforcement warn"
	default:
		return "pods that go beyond the permits are admitted, with a warning, and reported; once there are none, the next step is --enforcement deny"
	}
}
