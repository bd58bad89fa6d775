// Package observe says what was seen of a cluster: the pods that run, and the
// templates that will create pods again.
//
// Records of objects go in, made by a Recorder from whatever source
// (observe/manifest, observe/cluster); an Observation comes out: the members that
// policies are made for, and what could not be seen. An observation is a document
// as well (Encode, Decode); several join to one. Laws, each tested:
//   - Records in any order give the same observation. A record made from a trimmed
//     object equals the one made from the whole.
//   - What could not be observed is an entry in Gaps, Skipped or Unread, or counted
//     as Elsewhere, never silence.
//   - Join is commutative, associative and idempotent.
//   - What is encoded decodes to the same, and everything that is made of an
//     observation can be made of its document, byte for byte.
package observe

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Observation is what was seen. The zero Observation is "nothing was looked for".
type Observation struct {
	// Source is the name that the user gave to what was observed.
	Source string
	// Scope that was observed.
	Scope Scope
	// Members are the observed pods and templates by workload and account, sorted.
	Members []aggregate.Member
	// Gaps says what a server did not let be seen, sorted.
	Gaps []Gap
	// Skipped lists what could not be read in files, sorted.
	Skipped []Skipped
	// Warnings lists what was read in files and is probably not meant, sorted.
	Warnings []Warning
	// Unread lists the kinds of objects that were not read, sorted.
	Unread []Unread
	// Elsewhere counts pods and templates in files whose namespaces are not in the
	// scope.
	Elsewhere int
	// UnknownOwners lists workloads whose own controller could not be looked up,
	// sorted: policies are made for them as they are.
	UnknownOwners []aggregate.Workload
}

// Gap is something that should have been observed and was not.
type Gap struct {
	// Resource is what could not be listed, such as "deployments.apps".
	Resource string
	// Namespace is where; empty for the whole cluster.
	Namespace string
	Reason    apierror.Reason
	// Err has the words of the server, if it is known. It is not part of a
	// document.
	Err error
}

// Where says what could not be observed, and where.
func (g Gap) Where() string {
	if g.Namespace == "" {
		return g.Resource + " in all namespaces"
	}
	return g.Resource + " in namespace " + g.Namespace
}

func (g Gap) String() string {
	if g.Err == nil {
		return g.Where() + ": " + string(g.Reason)
	}
	return fmt.Sprintf("%s: %v", g.Where(), g.Err)
}

// Compare orders by namespace, then resource, then reason.
func (g Gap) Compare(o Gap) int {
	return cmp.Or(strings.Compare(g.Namespace, o.Namespace), strings.Compare(g.Resource, o.Resource), cmp.Compare(g.Reason, o.Reason))
}

// Unread is a kind of objects that are not read.
type Unread struct {
	Group, Kind string
	// Objects is how many there are.
	Objects int
	// Places says where those are that hold a pod template, sorted: what they run is
	// not covered.
	Places []string
}

// String is the kind with its group, such as "Rollout.argoproj.io".
func (u Unread) String() string {
	if u.Group == "" {
		return u.Kind
	}
	return u.Kind + "." + u.Group
}

// Compare orders by kind, then group.
func (u Unread) Compare(o Unread) int {
	return cmp.Or(strings.Compare(u.Kind, o.Kind), strings.Compare(u.Group, o.Group))
}

// Pods returns how many pods were observed.
func (o *Observation) Pods() int {
	n := 0
	for _, m := range o.Members {
		n += m.Pods
	}
	return n
}

// Templates returns how many templates were observed.
func (o *Observation) Templates() int {
	n := 0
	for _, m := range o.Members {
		n += m.Templates
	}
	return n
}

// Namespaces returns the namespaces that had a pod or template, sorted.
func (o *Observation) Namespaces() []string {
	var list []string
	for _, m := range o.Members {
		list = append(list, m.Workload.Namespace)
	}
	return slices.Compact(list)
}

// Resolve turns records into an observation: it finds each record's workload
// and adds what its service account adds. Records may come in any order.
func Resolve(records []*Record, accounts Accounts, interner *profile.Interner, scope Scope) *Observation {
	owners := ownersOf(records)
	idle := idleTemplates(records, owners)
	obs := &Observation{Scope: scope.sorted()}
	var fleet aggregate.Fleet
	// A set, so that nothing but the records grows with the pods.
	unknown := map[aggregate.Workload]bool{}
	for _, r := range records {
		if r.Profile == nil || !scope.includesSource(r) || idle[r] || isCopy(r, owners) {
			continue
		}
		if !scope.Includes(r.Namespace) {
			obs.Elsewhere++
			continue
		}
		workload, known := owners.workload(r)
		if !known {
			unknown[workload] = true
		}
		fleet.Add(aggregate.Pod{
			Workload:       workload,
			ServiceAccount: r.ServiceAccount,
			Template:       !r.isPod(),
			Profile:        accounts.complete(r, interner),
		})
	}
	obs.Members = fleet.Members()
	obs.UnknownOwners = slices.SortedFunc(maps.Keys(unknown), aggregate.Workload.Compare)
	return obs
}

// isCopy reports whether a template is a past or present copy of that of its
// controller, which was observed too.
func isCopy(r *Record, owners owners) bool {
	return linking[r.Kind] && r.Controller != nil && owners.find(r.Namespace, r.Controller) != nil
}

// idleTemplates returns the templates of controllers that were not observed which
// create no pods now, where another template of the same controller does: they are
// what the controller had before.
func idleTemplates(records []*Record, owners owners) map[*Record]bool {
	type controller struct {
		namespace string
		Owner
	}
	active, idle := map[controller]bool{}, map[*Record]bool{}
	for _, r := range records {
		if linking[r.Kind] && r.Profile != nil && r.Controller != nil && !isCopy(r, owners) {
			active[controller{r.Namespace, *r.Controller}] = active[controller{r.Namespace, *r.Controller}] || !r.Idle
		}
	}
	for _, r := range records {
		if r.Idle && r.Controller != nil && active[controller{r.Namespace, *r.Controller}] {
			idle[r] = true
		}
	}
	return idle
}
