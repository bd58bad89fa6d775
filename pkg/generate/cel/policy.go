package cel

import (
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// The names that a server and people find the policies by. A policy of one engine has
// the same name as that of another, but is of another kind.
const (
	// PolicyName is the name of the policy, and of what binds it.
	PolicyName = "advisor.privileges"
	// AccountsName is that of the policy that warns about unknown accounts.
	AccountsName = "advisor.unknown-accounts"
)

// Rules returns the requests that a policy judges: pods that are created, and debug
// containers that are added to one. Of a pod that exists, nothing else that asks for
// something can change.
func Rules() []admissionv1.NamedRuleWithOperations {
	return []admissionv1.NamedRuleWithOperations{
		rule(admissionv1.Create, "pods"),
		rule(admissionv1.Update, "pods/ephemeralcontainers"),
	}
}

func rule(operation admissionv1.OperationType, resource string) admissionv1.NamedRuleWithOperations {
	return admissionv1.NamedRuleWithOperations{RuleWithOperations: admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{operation},
		Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{resource}},
	}}
}

// Actions returns the actions of an enforcement.
func (e Enforcement) Actions() []admissionv1.ValidationAction {
	switch e {
	case Deny:
		return []admissionv1.ValidationAction{admissionv1.Deny, admissionv1.Audit}
	case Audit:
		return []admissionv1.ValidationAction{admissionv1.Audit}
	default:
		return []admissionv1.ValidationAction{admissionv1.Warn, admissionv1.Audit}
	}
}

// Next says in one line how to go on from an enforcement. audited and warned say what
// an engine does then about pods that go beyond their permits.
func (e Enforcement) Next(audited, warned string) string {
	const pods = "pods that go beyond the permits are "
	switch e {
	case Deny:
		return pods + "refused"
	case Audit:
		return pods + audited + "; the next step is --enforcement warn"
	default:
		return pods + warned + "; once there are none, the next step is --enforcement deny"
	}
}

// Lines returns the paths of the expressions with several lines among the variables
// at a path, as the Text of an object.
func Lines(path string, variables []Variable) []string {
	var paths []string
	for i, v := range variables {
		if strings.Contains(v.Expression, "\n") {
			paths = append(paths, generate.Item(path, i)+".expression")
		}
	}
	return paths
}
