package vap

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// Options of the engine. The zero value of a field is its default.
type Options struct {
	Enforcement     Enforcement
	UnknownAccounts UnknownAccounts
	Params          Params
}

// Enforcement says what becomes of a pod that goes beyond its permits.
type Enforcement string

// The enforcements.
const (
	// Warn, the default, admits the pod, warns its creator, and adds to its audit event.
	Warn Enforcement = "warn"
	// Audit admits the pod and adds to its audit event.
	Audit Enforcement = "audit"
	// Deny refuses the pod, and adds to its audit event.
	Deny Enforcement = "deny"
)

func (e Enforcement) actions() []admissionv1.ValidationAction {
	switch e {
	case Deny:
		return []admissionv1.ValidationAction{admissionv1.Deny, admissionv1.Audit}
	case Audit:
		return []admissionv1.ValidationAction{admissionv1.Audit}
	default:
		return []admissionv1.ValidationAction{admissionv1.Warn, admissionv1.Audit}
	}
}

// next says in one line how to go on from an enforcement.
func (e Enforcement) next() string {
	switch e {
	case Deny:
		return "pods that go beyond the permits are refused"
	case Audit:
		return "pods that go beyond the permits are admitted and audited; the next step is --enforcement warn"
	default:
		return "pods that go beyond the permits are admitted, with a warning and an audit annotation; once there are none, the next step is --enforcement deny"
	}
}

// UnknownAccounts says what becomes of a pod whose service account has no permits.
type UnknownAccounts string

// What becomes of such pods.
const (
	// DenyUnknown, the default, treats them as pods that go beyond their permits.
	DenyUnknown UnknownAccounts = "deny"
	// WarnUnknown admits them with a warning.
	WarnUnknown UnknownAccounts = "warn"
	// AllowUnknown admits them.
	AllowUnknown UnknownAccounts = "allow"
)

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

// The words of each option, the default first.
var (
	EnforcementWords     = []string{string(Warn), string(Audit), string(Deny)}
	UnknownAccountsWords = []string{string(DenyUnknown), string(WarnUnknown), string(AllowUnknown)}
	ParamsWords          = []string{string(Annotation), string(CRD)}
)

// Check returns an error for a value that is none of those of its field.
func (o Options) Check() error {
	for _, f := range []struct {
		name, value string
		known       []string
	}{
		{"enforcement", string(o.Enforcement), EnforcementWords},
		{"unknown-accounts", string(o.UnknownAccounts), UnknownAccountsWords},
		{"params", string(o.Params), ParamsWords},
	} {
		if f.value != "" && !slices.Contains(f.known, f.value) {
			return fmt.Errorf("--%s: unknown value %q: want one of %s", f.name, f.value, strings.Join(f.known, ", "))
		}
	}
	return nil
}
