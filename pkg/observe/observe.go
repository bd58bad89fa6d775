// Package observe finds pods: the running ones, and the templates that will
// create pods again.
//
// In come files (Files) or a cluster (see Cluster); out comes an Observation: the
// members to group, what was counted, and what could not be seen. Laws,
// each tested:
//   - Every pod and template becomes a Record, the few bytes that matter; a
//     record made from a trimmed object equals the one made from the whole.
//   - What could not be observed is an entry in Gaps, Skipped or Ignored, or
//     counted as Elsewhere, never silence.
//   - Observed objects are never changed.
package observe

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"k8s.io/apimachinery/pkg/labels"
)

// Options says what is observed.
type Options struct {
	// Namespaces to observe; none means all.
	Namespaces []string
	// ExcludeNamespaces are left out, also where Namespaces names them.
	ExcludeNamespaces []string
	// Selector keeps the pods and templates whose labels match; nil keeps all.
	// A template is judged by the labels it gives its pods.
	Selector labels.Selector
	// Pods and Templates are the sources that count.
	Pods, Templates bool
	// Profile says what counts within a pod.
	Profile profile.Options
	// SkipInvalid goes on past documents that cannot be read; each one is an
	// entry in Skipped.
	SkipInvalid bool
}

// wantsNamespace reports whether objects of that namespace are observed.
func (o Options) wantsNamespace(namespace string) bool {
	return !slices.Contains(o.ExcludeNamespaces, namespace) &&
		(len(o.Namespaces) == 0 || slices.Contains(o.Namespaces, namespace))
}

// wantsSource reports whether records like that one count.
func (o Options) wantsSource(r *Record) bool {
	if r.isPod() {
		return o.Pods
	}
	return o.Templates
}

// Observation is what was seen.
type Observation struct {
	// Members are the observed pods and templates by workload and account, sorted.
	Members []aggregate.Member
	// Pods and Templates are how many of each count.
	Pods, Templates int
	// Namespaces that had a pod or template, sorted.
	Namespaces []string
	// Ignored counts objects of kinds that are not read, by kind and group, such
	// as "Rollout.argoproj.io" or "Service".
	Ignored map[string]int
	// Elsewhere counts pods and templates in files that are in namespaces not to
	// observe.
	Elsewhere int
	// Skipped lists documents that could not be read, in reading order.
	Skipped []error
	// Gaps says what a server did not let be seen, sorted.
	Gaps []Gap
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
	Err       error
}

func (g Gap) String() string {
	where := "in all namespaces"
	if g.Namespace != "" {
		where = "in namespace " + g.Namespace
	}
	return fmt.Sprintf("%s %s: %v", g.Resource, where, g.Err)
}

// Compare orders by namespace, then resource.
func (g Gap) Compare(o Gap) int {
	return cmp.Or(strings.Compare(g.Namespace, o.Namespace), strings.Compare(g.Resource, o.Resource))
}

// Resolve turns records into an observation: it finds each record's workload
// and adds what its service account adds. Records may come in any order.
func Resolve(records []*Record, accounts Accounts, interner *profile.Interner, o Options) *Observation {
	owners := ownersOf(records)
	obs := &Observation{}
	var fleet aggregate.Fleet
	// Sets, so that nothing but the records grows with the pods.
	namespaces, unknown := map[string]bool{}, map[aggregate.Workload]bool{}
	for _, r := range records {
		if r.Profile == nil || !o.wantsSource(r) {
			continue
		}
		if !o.wantsNamespace(r.Namespace) {
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
		namespaces[r.Namespace] = true
		if r.isPod() {
			obs.Pods++
		} else {
			obs.Templates++
		}
	}
	obs.Members = fleet.Members()
	obs.Namespaces = slices.Sorted(maps.Keys(namespaces))
	obs.UnknownOwners = slices.SortedFunc(maps.Keys(unknown), aggregate.Workload.Compare)
	return obs
}
