// Package generate has what all engines and all sinks of policies share.
//
// Input is groups of pods; output is one Output per group: its Kubernetes objects,
// with the reasons for what they permit. An Engine generates the outputs of one kind
// of policy and knows its rules. This package knows names, labels, evidence as text,
// and how objects are written. Sinks depend on outputs, never on an engine. Laws,
// each tested:
//   - Different groups of a level have different names and different keys.
//   - YAML and JSON have the same objects; YAML adds comments only.
//   - A string of a cluster never leaves its value or its line.
package generate

import (
	"strconv"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Engine generates one kind of policy.
type Engine struct {
	// Name for users, in lower case.
	Name string
	// Resource that a server must serve for the policies to have an effect. The zero
	// value means that every server has what they need.
	Resource schema.GroupVersionResource
	// Note for users whose server does not serve Resource.
	Note string
	// Outputs returns the outputs for the members at a level. It decides which groups
	// they form, and changes none of them.
	Outputs func(members []aggregate.Member, level aggregate.Level) []Output
	// Findings returns what users of the outputs, which are of one level, should know
	// about this kind of policy.
	Findings func([]Output) []Finding
	// Levels is true if the policies are chosen from a few levels, so that what they
	// restrict is wider than what was observed.
	Levels bool
	// WholeNamespaces is true if the policies are for all pods of a namespace, those
	// included that were not observed.
	WholeNamespaces bool
	// Inexpressible are the attributes of a profile that this kind of policy cannot
	// restrict. Every other attribute makes a difference to some output.
	Inexpressible []string
}

// Result has the outputs of one engine for the members of an observation.
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

// Findings returns the findings of the engine about the outputs.
func (r Result) Findings() []Finding { return r.Engine.Findings(r.Outputs) }

// PerGroup returns the Outputs function of an engine with one output per group of a
// level. If shares is not nil, workloads of an account may form one group; see
// aggregate.Groups.
func PerGroup(generate func(aggregate.Group) Output, shares func(aggregate.Member) bool) func([]aggregate.Member, aggregate.Level) []Output {
	return func(members []aggregate.Member, level aggregate.Level) []Output {
		groups := aggregate.Groups(members, level, shares)
		outputs := make([]Output, len(groups))
		for i, g := range groups {
			outputs[i] = generate(g)
		}
		return outputs
	}
}

// Output is what an engine generates for one group.
type Output struct {
	// Group that the output is for.
	Group aggregate.Group
	// Name of the policy; see Name.
	Name string
	// Objects returns the objects in the order to apply them in. Each call may make them
	// anew, so that those of a large cluster need not be in memory at once.
	Objects func() []Object
	// Compromise says what the output gives up because of a limit of servers; empty if
	// nothing.
	Compromise string
}

// Made returns the Objects of an Output whose objects are made already.
func Made(objects ...Object) func() []Object {
	return func() []Object { return objects }
}

// Key identifies the output among those of its level.
func (o Output) Key() Key { return KeyOf(o.Group) }

// Object is one Kubernetes object.
type Object struct {
	// Value is a pointer to the object, which has its fields as in JSON.
	Value any
	// Title says in one line which workloads the object is for.
	Title string
	// Reasons for the values of fields. Title and reasons are safe to print in a YAML
	// comment.
	Reasons Reasons
	// Text are the paths of strings with several lines that are meant to be read; YAML
	// shows each line on its own. Who makes such a text escapes the line feeds in what
	// it quotes.
	Text []string
}

// Reasons are lines of text by the path of the field that they explain, such as
// "spec.volumes[0]".
type Reasons map[string][]string

// Item returns the path of an item of the list at path.
func Item(path string, index int) string { return string(appendItem([]byte(path), index)) }

func appendItem(path []byte, index int) []byte {
	return append(strconv.AppendInt(append(path, '['), int64(index), 10), ']')
}

// The label of every generated object, by which they can be selected and pruned.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "psp-advisor"
)

// Labels returns the labels of a generated object.
func Labels() map[string]string { return map[string]string{ManagedByLabel: ManagedBy} }
