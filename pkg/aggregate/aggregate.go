// Package aggregate groups observed pods by what a policy is to be written for.
//
// Pods go in, one by one and in any order (Fleet.Add); members come out
// (Fleet.Members): the part of each workload that runs under one service account.
// Groups takes the members of a level together, each group with the union of its
// members' profiles. Laws, each tested:
//   - Any order, and any repetition, of the same pods gives the same groups.
//   - Every pod is a member of exactly one group, and the group's profile covers
//     the pod's.
//   - A group's evidence names, for each value, the members that have it.
//   - Join is commutative, associative and idempotent.
//
// A Fleet grows with the distinct profiles, not with the pods, if equal profiles
// are one (see profile.Interner).
package aggregate

import (
	"cmp"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Workload is what created a pod, and will create it again: the top of its
// controller owner chain, or the pod itself.
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
	// ServiceAccount is the account the pods run under, in the workload's
	// namespace. Empty for the mirrors of static pods, which have none: there the
	// node itself asks for admission.
	ServiceAccount string
	// Pods and Templates are how many of each were observed.
	Pods, Templates int
	// Profile is the union of their profiles.
	Profile *profile.Profile
}

// Compare orders by workload and account.
func (m Member) Compare(o Member) int {
	return cmp.Or(m.Workload.Compare(o.Workload), strings.Compare(m.ServiceAccount, o.ServiceAccount))
}

// Account returns the service account of the member; its name is empty for
// mirror pods.
func (m Member) Account() Account { return Account{m.Workload.Namespace, m.ServiceAccount} }
