// Package aggregate groups the observed pods that share a policy.
//
// Input is pods, in any order (Fleet.Add); output is members (Fleet.Members): the
// part of each workload that runs under one service account. Groups returns the
// groups of members of a level, each with the union of their profiles. Laws, each
// tested:
//   - The same pods in any order, and any number of times, give the same groups.
//   - Every pod is in exactly one group, and the profile of the group covers that of
//     the pod.
//   - The evidence of a group has, for each value, the members that have it.
//   - Join is commutative, associative and idempotent.
//
// A Fleet grows with the distinct profiles, not with the pods, if equal profiles
// are interned (see profile.Interner).
package aggregate

import (
	"cmp"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Workload is what created a pod and will recreate it: the last controller in its
// chain of owners, or the pod itself.
type Workload struct {
	Namespace string
	Group     string // API group of the kind; empty for the core group
	Kind      string
	Name      string
}

func (w Workload) String() string { return w.Kind + "/" + w.Name }

// Compare orders by namespace, kind, group and name.
func (w Workload) Compare(o Workload) int {
	return cmp.Or(
		strings.Compare(w.Namespace, o.Namespace),
		strings.Compare(w.Kind, o.Kind),
		strings.Compare(w.Group, o.Group),
		strings.Compare(w.Name, o.Name),
	)
}

// Account is a service account.
type Account struct{ Namespace, Name string }

// Compare orders by namespace and name.
func (a Account) Compare(o Account) int {
	return cmp.Or(strings.Compare(a.Namespace, o.Namespace), strings.Compare(a.Name, o.Name))
}

// Member is the part of one workload that runs under one service account.
type Member struct {
	Workload Workload
	// ServiceAccount of the pods, in the namespace of the workload. Empty for mirror
	// pods, which have none: the node itself requests their admission.
	ServiceAccount string
	// Pods and Templates are the numbers of observed pods and templates.
	Pods, Templates int
	// Profile is the union of the profiles of the pods and templates.
	Profile *profile.Profile
}

// Compare orders by workload and account.
func (m Member) Compare(o Member) int {
	return cmp.Or(m.Workload.Compare(o.Workload), strings.Compare(m.ServiceAccount, o.ServiceAccount))
}

// MemberKey identifies a member among those of an observation.
type MemberKey struct {
	Workload       Workload
	ServiceAccount string
}

// Key returns the key of the member.
func (m Member) Key() MemberKey { return MemberKey{m.Workload, m.ServiceAccount} }

// Account returns the service account of the member; its name is empty for
// mirror pods.
func (m Member) Account() Account { return Account{m.Workload.Namespace, m.ServiceAccount} }
