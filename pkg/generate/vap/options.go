package vap

import (
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// Options of the engine. The zero value of a field is its default.
type Options struct {
	Enforcement     cel.Enforcement
	UnknownAccounts cel.UnknownAccounts
	Params          Params
}

// Params says where the permits of a namespace are.
type Params string

// Where the permits are.
const (
	// Annotation, the default: in an annotation of the Namespace.
	Annotation Params = "annotation"
	// CRD: in an object of our own kind in the namespace, for those that are too large
	// for an annotation, or whose Namespace belongs to another repository.
	CRD Params = "crd"
)

// ParamsWords are the values of Params, the default first.
var ParamsWords = []string{string(Annotation), string(CRD)}

// Check returns an error for a value that is none of those of its field.
func (o Options) Check() error {
	for _, err := range []error{
		cel.Check("enforcement", string(o.Enforcement), cel.EnforcementWords),
		cel.Check("unknown-accounts", string(o.UnknownAccounts), cel.UnknownAccountsWords),
		cel.Check("params", string(o.Params), ParamsWords),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// actionsOf returns the actions of a binding.
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
		return "pods that go beyond the permits are admitted and audited; the next step is --enforcement warn"
	default:
		return "pods that go beyond the permits are admitted, with a warning and an audit annotation; once there are none, the next step is --enforcement deny"
	}
}
