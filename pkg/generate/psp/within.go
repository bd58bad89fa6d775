package psp

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Outcome is what becomes of the pods of a member under one written policy.
type Outcome string

// The outcomes, best first.
const (
	// Fits: all are admitted and none is changed.
	Fits Outcome = "fits"
	// Changes: all are admitted, and the policy sets something that some of them leave
	// unset.
	Changes Outcome = "changes"
	// Refuses: some are denied.
	Refuses Outcome = "refuses"
)

// Comparison says how a written policy and what its pods need differ.
type Comparison struct {
	// Policy is its name.
	Policy string
	// Granted is true if RBAC of the same files lets somebody use the policy; then
	// Grants are those subjects. Otherwise every member was compared.
	Granted bool
	Grants  []Grant
	// Faults say why a server rejects the policy, or why admission ignores it: either
	// way it admits no pod.
	Faults []Difference
	// Group has the members that the policy is for; Outcomes are theirs.
	Group    aggregate.Group
	Outcomes []Outcome
	// Exceeds are the needs that the policy does not permit, Changed what it sets.
	Exceeds, Changed []Difference
	// Tighter are the permissions that no pod needs of those that the policy admits.
	Tighter []Difference
}

// Difference is one difference between a policy and a need.
type Difference struct {
	// Field of the policy.
	Field string
	// Text says what differs. It is safe to print, whatever strings it quotes.
	Text string
	// Uses are the members of the group that have the need, with their containers.
	Uses []profile.Use
}

// Compare compares each written policy with the members that may use it.
//
// It decides as the admission code of Kubernetes 1.24 does, field by field; each file
// within*.go names its source. What a profile does not have cannot be decided:
//   - An explicitly empty supplementalGroups list is as if it were unset: MustRunAs sets
//     a group, where admission denies the pod.
//   - spec.os: what a policy sets on a Windows pod can make that pod invalid.
//   - If the pods of a member differ, containers of the same name are one, where two
//     fields of a container decide together: defaultAddCapabilities, and
//     allowPrivilegeEscalation with privileged or CAP_SYS_ADMIN.
//   - A pod-level seccompProfile: admission writes it as an annotation, as the registry
//     does after it, which is no change; but then it prefers no policy that leaves the
//     pod unchanged.
func Compare(w *Written, members []aggregate.Member) []Comparison {
	var list []Comparison
	for _, p := range w.sorted() {
		c := comparison{policy: p}
		var grants []Grant
		grants, c.Granted = w.grants(p.Name)
		users := members
		if c.Granted {
			users = nil
			for _, m := range members {
				if slices.ContainsFunc(grants, func(g Grant) bool { return g.covers(m) }) {
					users = append(users, m)
				}
			}
		}
		c.Policy, c.Grants = p.Name, grants
		c.compare(users)
		list = append(list, c.Comparison)
	}
	return list
}

// comparison is a Comparison while it is made.
type comparison struct {
	Comparison
	policy  *writtenPolicy
	profile *profile.Profile // of the members
	need    *draft           // the tightest policy for those that the policy admits
}

func (c *comparison) compare(members []aggregate.Member) {
	c.checkPolicy()
	groups := aggregate.Groups(members, aggregate.ByCluster, nil)
	if len(groups) == 0 {
		c.Group = aggregate.Group{Level: aggregate.ByCluster}
		return
	}
	c.Group, c.profile = groups[0], groups[0].Profile()
	for _, admit := range []func(){
		c.admitPrivileged,
		c.admitHostNamespaces,
		c.admitHostPorts,
		c.admitEscalation,
		c.admitReadOnlyRootFilesystem,
		c.admitCapabilities,
		c.admitVolumes,
		c.admitHostPaths,
		c.admitDrivers,
		c.admitSysctls,
		c.admitProcMount,
		c.admitRuntimeClass,
		c.admitSELinux,
		c.admitUsers,
		c.admitGroups,
		c.admitSeccomp,
		c.admitAppArmor,
	} {
		admit()
	}
	c.Outcomes = c.outcomes()
	c.tighten()
}

// outcomes returns the outcome of each member: the worst one of its needs.
func (c *comparison) outcomes() []Outcome {
	list := make([]Outcome, len(c.Group.Members))
	for i := range list {
		list[i] = Fits
		if len(c.Faults) > 0 {
			list[i] = Refuses
		}
	}
	for _, d := range c.Changed {
		for _, u := range d.Uses {
			if list[u.Member] == Fits {
				list[u.Member] = Changes
			}
		}
	}
	for _, d := range c.Exceeds {
		for _, u := range d.Uses {
			list[u.Member] = Refuses
		}
	}
	return list
}

// tighten compares the policy with what the members need that it admits.
func (c *comparison) tighten() {
	var admitted []aggregate.Member
	for i, m := range c.Group.Members {
		if c.Outcomes[i] != Refuses {
			admitted = append(admitted, m)
		}
	}
	if len(admitted) == 0 {
		return // nothing is known of what the policy is for
	}
	c.need = newDraft(aggregate.Groups(admitted, aggregate.ByCluster, nil)[0], nil)
	for _, tighten := range []func(){
		c.tightenFlags,
		c.tightenHostPorts,
		c.tightenEscalation,
		c.tightenCapabilities,
		c.tightenVolumes,
		c.tightenHostPaths,
		c.tightenDrivers,
		c.tightenSysctls,
		c.tightenProcMount,
		c.tightenRuntimeClass,
		c.tightenSELinux,
		c.tightenUsers,
		c.tightenGroups,
		c.tightenSeccomp,
		c.tightenAppArmor,
	} {
		tighten()
	}
}

// exceeds records a need that the policy does not permit; without uses it is none.
func (c *comparison) exceeds(field, need string, uses []profile.Use) {
	if len(uses) > 0 {
		c.Exceeds = append(c.Exceeds, Difference{field, need + " needed by " + generate.Who(c.Group, uses), uses})
	}
}

// changes records what the policy sets; without uses it is nothing.
func (c *comparison) changes(field, set string, uses []profile.Use) {
	if len(uses) > 0 {
		c.Changed = append(c.Changed, Difference{field, set + " for " + generate.Who(c.Group, uses), uses})
	}
}

// fault records why the policy admits nothing.
func (c *comparison) fault(field, text string) {
	c.Faults = append(c.Faults, Difference{Field: field, Text: text})
}

// tighter records a permission that is not needed.
func (c *comparison) tighter(field, text string) {
	c.Tighter = append(c.Tighter, Difference{Field: field, Text: text})
}

// unneeded records an item of a list that is not needed.
func (c *comparison) unneeded(field, item string) { c.tighter(field, quote(item)+" is not needed") }

// quote returns a string of a cluster or a file as text for people.
func quote[S ~string](s S) string { return "'" + generate.Short(string(s)) + "'" }

// exceedsEach records each value of a set that satisfies no permission.
func exceedsEach[T profile.Value[T]](c *comparison, field string, used profile.Set[T], text func(T) string, permitted func(T) bool) {
	for _, it := range used.Items() {
		if !permitted(it.Value) {
			c.exceeds(field, text(it.Value), it.Uses)
		}
	}
}

// both returns the uses of a that are uses of b, too. Both are sorted.
func both(a, b []profile.Use) []profile.Use {
	return slices.DeleteFunc(slices.Clone(a), func(u profile.Use) bool { return !hasUse(b, u) })
}

// without returns the uses of a that are no uses of b. Both are sorted.
func without(a, b []profile.Use) []profile.Use {
	return slices.DeleteFunc(slices.Clone(a), func(u profile.Use) bool { return hasUse(b, u) })
}

func hasUse(sorted []profile.Use, u profile.Use) bool {
	_, found := slices.BinarySearchFunc(sorted, u, profile.Use.Compare)
	return found
}
