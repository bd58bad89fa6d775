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
		Title: generate.ForNamespace(g),
	}
}

// Annotated returns the Namespace of a table with the permits in its annotation, and
// what they give up.
func Annotated(t Table) (objects []generate.Object, compromise string) {
	text, compromise := t.Fit(MaxText)
	object := Covered(t.Group, InAnnotation, map[string]string{Key: text})
	object.Text = []string{"metadata.annotations." + Key}
	return []generate.Object{object}, compromise
}

// Outputs returns the output of a policy, and one for each namespace: what permits
// returns for its table, or at cluster level, where the policy has the permits, its
// label. policies returns the objects of the policy that finds the text of the permits
// by the variables, and covers the namespaces with a label.
func Outputs(
	members []aggregate.Member, level aggregate.Level, text []Variable, where string,
	policies func(text []Variable, where string) []generate.Object, permits func(Table) ([]generate.Object, string),
) []generate.Output {
	if len(members) == 0 {
		return nil
	}
	policy := generate.Output{Group: aggregate.Group{Level: aggregate.ByCluster}, Name: PolicyName}
	tables := Tables(members, level)
	if level != aggregate.ByCluster {
		policy.Objects = func() []generate.Object { return policies(text, where) }
		outputs := []generate.Output{policy}
		for _, t := range tables {
			output := generate.Output{Group: t.Group, Name: generate.Name(t.Group)}
			objects, compromise := permits(t)
			output.Objects, output.Compromise = generate.Made(objects...), compromise
			outputs = append(outputs, output)
		}
		return outputs
	}
	policy.Objects = generate.Made(policies(LiteralText(tables[0]), InPolicy)...)
	outputs := []generate.Output{policy}
	for _, g := range aggregate.Groups(members, aggregate.ByNamespace, nil) {
		outputs = append(outputs, generate.Output{Group: g, Name: generate.Name(g), Objects: generate.Made(Covered(g, InPolicy, nil))})
	}
	return outputs
}
