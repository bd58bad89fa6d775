// Package generate holds what every engine and every sink of policies share.
//
// Groups of pods go in; Outputs come out: the Kubernetes objects for each group,
// with the reasons for what they permit. An Engine makes the outputs of one kind
// of policy and knows its rules; this package knows names, labels, who needs what,
// and how objects are written. A sink knows outputs and no engine. Laws, each
// tested:
//   - Different groups of a level have different names and different keys.
//   - YAML and JSON hold the same objects; comments are all that is added.
//   - Whatever strings a cluster holds, they stay within their value and their
//     line.
package generate

import (
	"strconv"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Engine makes one kind of policy.
type Engine struct {
	// Name is what users call it.
	Name string
	// Resource is what a server must serve for the policies to have an effect.
	Resource schema.GroupVersionResource
	// Note says what else to know where the server does not.
	Note string
	// Shares reports whether the workloads of the member's service account need one
	// policy together; nil means never.
	Shares func(aggregate.Member) bool
	// Generate returns the output of one group. It changes nothing.
	Generate func(aggregate.Group) Output
	// Findings says what a reader of the outputs, all of one level, should know of
	// this kind of policy.
	Findings func([]Output) []Finding
	// Inexpressible are the attributes of a profile that no policy of this kind can
	// govern. Every other attribute makes a difference to some output.
	Inexpressible []string
}

// Result is what one engine makes of the members of an observation.
type Result struct {
	Engine  Engine
	Level   aggregate.Level
	Outputs []Output
}

// Run runs engines at one level.
func Run(engines []Engine, members []aggregate.Member, level aggregate.Level) []Result {
	results := make([]Result, len(engines))
	for i, e := range engines {
		results[i] = Result{e, level, e.Outputs(members, level)}
	}
	return results
}

// Findings returns what the engine says of its outputs.
func (r Result) Findings() []Finding { return r.Engine.Findings(r.Outputs) }

// Outputs returns the output of each group of a level.
func (e Engine) Outputs(members []aggregate.Member, level aggregate.Level) []Output {
	groups := aggregate.Groups(members, level, e.Shares)
	outputs := make([]Output, len(groups))
	for i, g := range groups {
		outputs[i] = e.Generate(g)
	}
	return outputs
}

// Output is what one group gets.
type Output struct {
	// Group that the output was made from.
	Group aggregate.Group
	// Name of the policy; see Name.
	Name string
	// Objects in the order to apply them in.
	Objects []Object
}

// Key says where the output stands among those of its level.
func (o Output) Key() Key { return KeyOf(o.Group) }

// Object is one Kubernetes object.
type Object struct {
	// Value marshals to the object's JSON.
	Value any
	// Title says in one line whom the object is for.
	Title string
	// Reasons are lines about a field, by its path: "spec.volumes[0]". Title and
	// reasons are safe to print in a YAML comment.
	Reasons Reasons
}

// Reasons are lines of text by the path of the field that they explain.
type Reasons map[string][]string

// Item returns the path of an item of the list at path.
func Item(path string, index int) string { return path + "[" + strconv.Itoa(index) + "]" }

// The label that every generated object carries, so that all of them can be
// selected and pruned.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "psp-advisor"
)

// Labels returns the labels of a generated object.
func Labels() map[string]string { return map[string]string{ManagedByLabel: ManagedBy} }
