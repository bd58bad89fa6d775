// Package observe describes what was observed of a cluster: the running pods, and the
// templates that will create pods.
//
// Input is records of objects, which a Recorder makes for the sources observe/manifest
// and observe/cluster; output is an Observation: the members to generate policies for,
// and what could not be observed. An observation can be written as a document and read
// back (Encode, Decode), and observations can be joined. Laws, each tested:
//   - Records in any order give the same observation. The record of a trimmed object
//     equals that of the whole object.
//   - Everything that could not be observed is in Gaps, Skipped, Unread or Elsewhere.
//   - Join is commutative, associative and idempotent.
//   - Decode returns what was encoded. Everything that can be generated from an
//     observation can be generated from its document, byte for byte.
package observe

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Observation is what was observed. The zero Observation is empty.
type Observation struct {
	// Source is a name of what was observed, given by the user.
	Source string
	// Scope of the observation.
	Scope Scope
	// Members are the observed pods and templates by workload and account, sorted.
	Members []aggregate.Member
	// Gaps are what could not be observed on a server, sorted.
	Gaps []Gap
	// Skipped are the parts of files that could not be read, sorted.
	Skipped []Skipped
	// Warnings are probable mistakes in files, sorted.
	Warnings []Warning
	// Unread are the kinds of objects that were not read, sorted.
	Unread []Unread
	// Elsewhere is the number of pods and templates in files whose namespaces are not
	// in the scope.
	Elsewhere int
	// UnknownOwners are workloads whose controller was not observed, sorted. They are
	// workloads of their own.
	UnknownOwners []aggregate.Workload
	// Places are where workloads stand in files: the first template, else the first pod.
	// They are not part of a document.
	Places map[aggregate.Workload]Place
}

// Gap is something that should have been observed and was not.
type Gap struct {
	// Resource that could not be listed, such as "deployments.apps".
	Resource string
	// Namespace is empty for the whole cluster.
	Namespace string
	Reason    apierror.Reason
	// Err is the error, if known. It is not part of a document.
	Err error
}

// Where returns the resource and the namespace.
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

// Unread is a kind whose objects were not read.
type Unread struct {
	Group, Kind string
	// Objects is the number of objects.
	Objects int
	// Places of the objects that run pods, sorted; these pods were not observed.
	Places []string
}

// String returns the kind with its group, such as "Rollout.argoproj.io".
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

// Pods returns the number of observed pods.
func (o *Observation) Pods() int {
	n := 0
	for _, m := range o.Members {
		n += m.Pods
	}
	return n
}

// UnknownVolumes reports whether some pod or template has a volume with a source that
// this version does not know.
func (o *Observation) UnknownVolumes() bool {
	return slices.ContainsFunc(o.Members, func(m aggregate.Member) bool { return m.Profile.Volumes.Has(profile.UnknownVolume) })
}

// Templates returns the number of observed templates.
func (o *Observation) Templates() int {
	n := 0
	for _, m := range o.Members {
		n += m.Templates
	}
	return n
}

// Namespaces returns the namespaces of the observed pods and templates, sorted.
func (o *Observation) Namespaces() []string {
	var list []string
	for _, m := range o.Members {
		list = append(list, m.Workload.Namespace)
	}
	return slices.Compact(list)
}

// Digest identifies what was observed; see Observation.Digest.
type Digest [sha256.Size]byte

// Digest identifies what was observed, but for the numbers of pods: those of two
// observations are the same if they differ in these alone.
func (o *Observation) Digest() Digest {
	hash := sha256.New()
	for _, m := range o.Members {
		w := m.Workload
		names := []string{w.Namespace, w.Group, w.Kind, w.Name, m.ServiceAccount}
		hash.Write(fmt.Appendf(nil, "%q %t %d %x\n", names, m.Pods > 0, m.Templates, m.Profile.Digest()))
	}
	hash.Write(fmt.Appendf(nil, "%q\n", o.UnknownOwners))
	for _, g := range o.Gaps {
		hash.Write(fmt.Appendf(nil, "%q %q\n", g.Where(), g.Reason))
	}
	return Digest(hash.Sum(nil))
}

// Resolve returns the observation of records, in any order: it finds the workload of
// each pod and template, and adds the token volume that its service account implies.
func Resolve(records []*Record, accounts Accounts, interner *profile.Interner, scope Scope) *Observation {
	owners := ownersOf(records)
	idle := idleTemplates(records, owners)
	obs := &Observation{Scope: scope.sorted()}
	var fleet aggregate.Fleet
	complete := completion{accounts, interner, map[*profile.Profile]*profile.Profile{}}
	// A set, because its size must not grow with the pods.
	unknown := map[aggregate.Workload]bool{}
	places := placesOf{}
	for _, r := range records {
		if r.Profile == nil || !scope.includesSource(r) || idle[r] || isCopy(r, owners) {
			continue
		}
		if !scope.Includes(r.Namespace) {
			obs.Elsewhere += 1 + r.More
			continue
		}
		workload, known := owners.workload(r)
		if !known {
			unknown[workload] = true
		}
		places.add(workload, r)
		fleet.Add(aggregate.Pod{
			Workload:       workload,
			ServiceAccount: r.ServiceAccount,
			Template:       !r.isPod(),
			More:           r.More,
			Profile:        complete.profile(r),
		})
	}
	obs.Members = fleet.Members()
	obs.UnknownOwners = slices.SortedFunc(maps.Keys(unknown), aggregate.Workload.Compare)
	obs.Places = places.places()
	return obs
}

// isCopy reports whether a template is a current or earlier copy of that of its
// controller, which was observed: their uids say so, or it adds nothing to it. A
// reference that gives a name alone may be made up, and a copy is no original.
func isCopy(r *Record, owners owners) bool {
	if !linking[r.Kind] || r.Controller == nil {
		return false
	}
	owner := owners.find(r.Namespace, r.Controller)
	switch {
	case owner == nil || linking[owner.Kind]:
		return false
	case owner.UID != "" && owner.UID == r.Controller.UID:
		return true
	default:
		return owners.show(owner, r)
	}
}

// idleTemplates returns the earlier templates of controllers that were not observed:
// those that create no pods now, while another one of the same controller does.
func idleTemplates(records []*Record, owners owners) map[*Record]bool {
	type controller struct {
		namespace string
		Owner
	}
	active, idle := map[controller]bool{}, map[*Record]bool{}
	for _, r := range records {
		if linking[r.Kind] && r.Profile != nil && r.Controller != nil && owners.find(r.Namespace, r.Controller) == nil {
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
