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

// Engine returns the engine of Kyverno.
func Engine(o Options) generate.Engine {
	return generate.Engine{
		Name:            "kyverno",
		Resource:        schema.GroupVersionResource{Group: group, Version: version, Resource: "validatingpolicies"},
		Note:            "install Kyverno 1.17 or newer",
		WholeNamespaces: true,
		Outputs:         o.outputs,
		Findings:        findings,
		Inexpressible:   cel.Inexpressible(),
	}
}

func (o Options) outputs(members []aggregate.Member, level aggregate.Level) []generate.Output {
	return cel.Outputs(members, level, cel.AnnotationText(), cel.InAnnotation, o.policies, cel.Annotated)
}
