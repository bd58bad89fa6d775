package gatekeeper

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxName is the length of the names of constraints (vendored from
// frameworks/constraint/pkg/client/crds/schema.go, in the kind that Gatekeeper makes of
// a template).
const maxName = 63

// suffix of the constraints that warn about unknown accounts.
const suffix = ".unknown-accounts"

// constraint is an object of the kind of the template.
type constraint struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec constraintSpec `json:"spec"`
}

type constraintSpec struct {
	EnforcementAction string               `json:"enforcementAction"`
	Match             match                `json:"match"`
	Parameters        constraintParameters `json:"parameters"`
}

type match struct {
	Kinds      []matchKinds `json:"kinds"`
	Namespaces []string     `json:"namespaces"`
	// Source: pods only, not those that Gatekeeper expands templates to, which have no
	// defaults yet.
	Source string `json:"source"`
}

type matchKinds struct {
	APIGroups []string `json:"apiGroups"`
	Kinds     []string `json:"kinds"`
}

type constraintParameters struct {
	Judges  []string `json:"judges"`
	Permits string   `json:"permits"`
}

// constraints returns the constraint of a table, the one for unknown accounts if
// another action is for them, and what the permits give up.
func (o Options) constraints(t cel.Table) (objects []generate.Object, compromise string) {
	g := t.Group
	text, compromise := fit(t)
	judges := []string{accounts, privileges}
	if o.UnknownAccounts == cel.WarnUnknown || o.UnknownAccounts == cel.AllowUnknown {
		judges = judges[1:]
	}
	objects = []generate.Object{newConstraint(generate.NameWithin(g, maxName), g, generate.For(g), o.Enforcement, judges, text)}
	if o.UnknownAccounts == cel.WarnUnknown {
		name := generate.NameWithin(g, maxName-len(suffix)) + suffix
		objects = append(objects, newConstraint(name, g, "warns about pods of service accounts without permits", cel.Warn, []string{accounts}, headings(text)))
	}
	return objects, compromise
}

func newConstraint(name string, g aggregate.Group, title string, e cel.Enforcement, judges []string, text string) generate.Object {
	c := &constraint{
		TypeMeta:   metav1.TypeMeta{APIVersion: constraintGroup + "/v1beta1", Kind: Kind},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: generate.Labels()},
		Spec: constraintSpec{
			EnforcementAction: actionOf(e),
			Match: match{
				Kinds:      []matchKinds{{APIGroups: []string{""}, Kinds: []string{"Pod"}}},
				Namespaces: namespaces(g),
				Source:     "Original",
			},
			Parameters: constraintParameters{Judges: judges, Permits: text},
		},
	}
	return generate.Object{
		Value: c, Title: title,
		Reasons: generate.Reasons{"spec.enforcementAction": {
			e.Next("admitted and reported by audits", "admitted, with a warning, and reported by audits"),
		}},
		Text: []string{"spec.parameters.permits"},
	}
}

// headings returns a text with the accounts of another one, without privileges.
func headings(text string) string {
	var accounts []string
	for block := range strings.SplitSeq(text, "\n\n") {
		heading, _, _ := strings.Cut(block, "\n")
		if !slices.Contains(accounts, heading) {
			accounts = append(accounts, heading)
		}
	}
	return strings.Join(accounts, "\n\n")
}

// namespaces returns those of a group, sorted. They are taken as patterns, but have
// letters, digits and dashes only.
func namespaces(g aggregate.Group) []string {
	var list []string
	for _, m := range g.Members {
		list = append(list, m.Workload.Namespace)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func actionOf(e cel.Enforcement) string {
	switch e {
	case cel.Deny:
		return "deny"
	case cel.Audit:
		return "dryrun"
	default:
		return "warn"
	}
}
