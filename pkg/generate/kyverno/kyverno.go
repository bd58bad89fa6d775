// Package kyverno generates one ValidatingPolicy of Kyverno for the cluster, and for
// each namespace the permits that it reads: what the pods of each service account may
// ask for.
//
// Input is members; output is a generate.Output for the cluster, with the policy, and
// one for each namespace, with data only. Core, validations and data are those of
// package cel: a Namespace is the same, byte by byte, as one that vap writes, so both
// can be in force at once, and either can replace the other. The laws are those of
// vap; the CEL of Kyverno's command line gives the verdicts of the API server's.
//
// Kyverno has no limit on the cost of CEL, only the time that the API server waits.
// What it takes from the guarantees of vap is in the description of the policy:
// requests that it does not judge, and who can exempt pods.
package kyverno

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The names that a server and people find the policies by.
const (
	// PolicyName is the name of the policy.
	PolicyName = "advisor.privileges"
	// AccountsName is that of the policy that warns about unknown accounts.
	AccountsName = "advisor.unknown-accounts"
)

// Options of the engine. The zero value of a field is its default.
type Options struct {
	Enforcement     cel.Enforcement
	UnknownAccounts cel.UnknownAccounts
}

// Engine returns the engine of Kyverno.
func Engine(o Options) generate.Engine {
	return generate.Engine{
		Name:          "kyverno",
		Resource:      schema.GroupVersionResource{Group: group, Version: version, Resource: "validatingpolicies"},
		Note:          "install Kyverno 1.17 or newer",
		Outputs:       o.outputs,
		Findings:      findings,
		Inexpressible: cel.Inexpressible(),
	}
}

func (o Options) outputs(members []aggregate.Member, level aggregate.Level) []generate.Output {
	if len(members) == 0 {
		return nil
	}
	tables := cel.Tables(members, level)
	text, where := cel.AnnotationText(), cel.InAnnotation
	if level == aggregate.ByCluster {
		text, where = cel.LiteralText(tables[0]), cel.InPolicy
	}
	outputs := []generate.Output{{
		Group:   aggregate.Group{Level: aggregate.ByCluster},
		Name:    PolicyName,
		Objects: o.policies(text, where),
	}}
	for _, g := range aggregate.Groups(members, aggregate.ByNamespace, nil) {
		output := generate.Output{Group: g, Name: generate.Name(g)}
		var object generate.Object
		if where == cel.InPolicy {
			object = cel.Covered(g, where, nil)
		} else {
			i := slices.IndexFunc(tables, func(t cel.Table) bool { return t.Group.Namespace == g.Namespace })
			object, output.Compromise = cel.Annotated(g, tables[i])
		}
		output.Objects = []generate.Object{object}
		outputs = append(outputs, output)
	}
	return outputs
}
