package cel

import (
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
)

// Key is that of the label of covered namespaces, whose value says where their permits
// are, and of the annotation with the permits. Only who can write the Namespace can
// change them. All engines share them, so that the data of a namespace is the same
// whichever of them reads it.
const Key = "psp-advisor.github.io/permits"

// The values of the label that engines share.
const (
	// InAnnotation: in the annotation of the Namespace.
	InAnnotation = "annotation"
	// InPolicy: in the policy itself, at cluster level.
	InPolicy = "policy"
)

// Covered returns the Namespace with the label of those that are covered; where is its
// value.
func Covered(g aggregate.Group, where string, annotations map[string]string) generate.Object {
	return generate.Object{
		Value: generate.Namespace(g.Namespace, map[string]string{Key: where}, annotations),
		Title: generate.For(g) + "; apply with --server-side, for the Namespace belongs to others",
	}
}

// Annotated returns the Namespace with its permits in the annotation, and what they
// give up.
func Annotated(g aggregate.Group, t Table) (object generate.Object, compromise string) {
	text, compromise := t.Fit(MaxText)
	object = Covered(g, InAnnotation, map[string]string{Key: text})
	object.Text = []string{"metadata.annotations." + Key}
	return object, compromise
}
