// Package gatekeeper generates one ConstraintTemplate of Gatekeeper, and a constraint
// for each namespace, with the permits as its parameters: what the pods of each service
// account may ask for.
//
// Input is members; output is a generate.Output for the cluster, with the template, and
// one for each namespace, with its constraint; at cluster level there is one constraint
// for all namespaces that were observed. The template is a constant around the core of
// package cel, for Gatekeeper's engine K8sNativeValidation. The laws are those of vap,
// but for what the description of the template says; gator gives the verdicts of the
// API server's.
//
// The core does not fit as it is in two places: the pod is variables.anyObject, and a
// parameter has no type, so that it needs a cast. The budget of CEL is for everything
// about a pod and a constraint together, twice: once for the verdict, once for the
// messages, which Gatekeeper evaluates even if the pod is admitted. A
// finding says which permits are large for that.
package gatekeeper

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Options of the engine. The zero value of a field is its default.
type Options struct {
	Enforcement     cel.Enforcement
	UnknownAccounts cel.UnknownAccounts
}

// Engine returns the engine of Gatekeeper.
func Engine(o Options) generate.Engine {
	return generate.Engine{
		Name:            "gatekeeper",
		Resource:        schema.GroupVersionResource{Group: templates, Version: version, Resource: "constrainttemplates"},
		Note:            "install Gatekeeper 3.18 or newer",
		WholeNamespaces: true,
		Outputs:         o.outputs,
		Findings:        func(outputs []generate.Output) []generate.Finding { return cel.Findings(outputs, "") },
		Inexpressible:   cel.Inexpressible(),
	}
}

func (o Options) outputs(members []aggregate.Member, level aggregate.Level) []generate.Output {
	if len(members) == 0 {
		return nil
	}
	tables := cel.Tables(members, level)
	template := generate.Output{Group: aggregate.Group{Level: aggregate.ByCluster}, Name: TemplateName, Objects: func() []generate.Object { return []generate.Object{constraintTemplate()} }}
	if level == aggregate.ByCluster {
		objects, compromise := o.constraints(tables[0])
		template.Group, template.Objects, template.Compromise = tables[0].Group, generate.Made(slices.Insert(objects, 0, constraintTemplate())...), compromise
		return []generate.Output{template}
	}
	outputs := []generate.Output{template}
	for _, t := range tables {
		output := generate.Output{Group: t.Group, Name: generate.NameWithin(t.Group, maxName)}
		objects, compromise := o.constraints(t)
		output.Objects, output.Compromise = generate.Made(objects...), compromise
		outputs = append(outputs, output)
	}
	return outputs
}
