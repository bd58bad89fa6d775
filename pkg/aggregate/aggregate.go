// Package aggregate groups observed pods by what a policy is to be written for.
//
// In go pods, one by one and in any order (Fleet.Add); out come groups
// (Fleet.Groups), each with the union of its members' profiles. Laws, each
// tested:
//   - Any order, and any repetition, of the same pods gives the same groups.
//   - Every pod is a member of exactly one group, and the group's profile covers
//     the pod's.
//   - No service account holds two groups where the choice between them could
//     change a pod (see Fleet.Groups).
//
// A Fleet grows with the distinct profiles, not with the pods, if equal profiles
// are one (see profile.Interner).
package aggregate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
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

// Pod is what aggregation needs to know of one pod.
type Pod struct {
	Workload Workload
	// ServiceAccount is the account the pod runs under, in the workload's
	// namespace. Empty for the mirror of a static pod, which has none: there the
	// node itself asks for admission.
	ServiceAccount string
	Profile        *profile.Profile
}

// Level is how far pods are taken together.
type Level string

// The levels, from the tightest policies to the fewest.
const (
	ByWorkload       Level = "workload"
	ByServiceAccount Level = "serviceaccount"
	ByNamespace      Level = "namespace"
	ByCluster        Level = "cluster"
)

// Levels lists the levels, tightest policies first.
func Levels() []Level { return []Level{ByWorkload, ByServiceAccount, ByNamespace, ByCluster} }

// ParseLevel returns the level of that name.
func ParseLevel(name string) (Level, error) {
	if l := Level(name); slices.Contains(Levels(), l) {
		return l, nil
	}
	return "", fmt.Errorf("unknown level %q: want %s, %s, %s or %s", name, ByWorkload, ByServiceAccount, ByNamespace, ByCluster)
}

// Member is the part of one workload that runs under one service account.
type Member struct {
	Workload       Workload
	ServiceAccount string // empty: mirror pods
	Profile        *profile.Profile
}

// Group is the members that share one policy.
type Group struct {
	Level     Level
	Namespace string // empty at cluster level
	// Workload is set when all members are of this one workload.
	Workload *Workload
	// ServiceAccount is set when the members were taken together because they
	// share this account. Mirror pods, which share that they have none, leave it
	// empty.
	ServiceAccount string
	// Members, sorted by workload and account.
	Members []Member
	// Profile is the union of the members' profiles.
	Profile *profile.Profile
}

// ServiceAccounts returns the distinct accounts of the members, as
// namespace/name, sorted; mirror pods, which have none, are left out.
func (g Group) ServiceAccounts() []Account {
	var list []Account
	for _, m := range g.Members {
		if m.ServiceAccount != "" {
			list = append(list, Account{m.Workload.Namespace, m.ServiceAccount})
		}
	}
	slices.SortFunc(list, Account.Compare)
	return slices.Compact(list)
}

// HasMirrorPods reports whether some member is a static pod.
func (g Group) HasMirrorPods() bool {
	return slices.ContainsFunc(g.Members, func(m Member) bool { return m.ServiceAccount == "" })
}

// Account is a service account.
type Account struct{ Namespace, Name string }

// Compare orders by namespace and name.
func (a Account) Compare(o Account) int {
	return cmp.Or(strings.Compare(a.Namespace, o.Namespace), strings.Compare(a.Name, o.Name))
}

// Fleet gathers pods. The zero Fleet is empty and ready for use.
type Fleet struct {
	members map[memberKey]*joined
}

type memberKey struct {
	workload Workload
	account  string
}

// joined is the union of the profiles in seen. Pods of one template share an
// interned profile, so that adding another one is a look-up.
type joined struct {
	profile *profile.Profile
	seen    []*profile.Profile
}

// Add counts p in.
func (f *Fleet) Add(p Pod) {
	key := memberKey{p.Workload, p.ServiceAccount}
	j := f.members[key]
	if j == nil {
		if f.members == nil {
			f.members = map[memberKey]*joined{}
		}
		j = &joined{profile: p.Profile, seen: []*profile.Profile{p.Profile}}
		f.members[key] = j
	}
	if !slices.Contains(j.seen, p.Profile) {
		j.seen = append(j.seen, p.Profile)
		j.profile = profile.Join(j.profile, p.Profile)
	}
}

// Members returns what was added, sorted by workload and account.
func (f *Fleet) Members() []Member {
	list := make([]Member, 0, len(f.members))
	for _, key := range slices.SortedFunc(maps.Keys(f.members), memberKey.compare) {
		list = append(list, Member{key.workload, key.account, f.members[key].profile})
	}
	return list
}

func (k memberKey) compare(o memberKey) int {
	return cmp.Or(k.workload.Compare(o.workload), strings.Compare(k.account, o.account))
}

// Groups returns the groups of a level, sorted by namespace and name parts.
//
// At workload level, workloads that share a service account are taken together
// when a pod of that account sets a seccomp profile for the whole pod. Such a
// pod makes every policy count as mutating (1.24 writes the annotation during
// admission, pkg/security/podsecuritypolicy/provider.go, MutatePod), so that the
// alphabetically first policy that admits it wins, even one that really changes
// it.
func (f *Fleet) Groups(level Level) []Group {
	members := f.Members()
	var shared map[Workload]string
	if level == ByWorkload {
		shared = sharedAccounts(members)
	}
	groups := map[groupKey]*Group{}
	for _, m := range members {
		key := keyOf(level, m, shared)
		g := groups[key]
		if g == nil {
			g = &Group{Level: level, Namespace: key.namespace, ServiceAccount: key.account, Profile: m.Profile}
			if key.workload != (Workload{}) {
				g.Workload = &key.workload
			}
			groups[key] = g
		} else {
			g.Profile = profile.Join(g.Profile, m.Profile)
		}
		g.Members = append(g.Members, m)
	}
	list := make([]Group, 0, len(groups))
	for _, key := range slices.SortedFunc(maps.Keys(groups), groupKey.compare) {
		list = append(list, *groups[key])
	}
	return list
}

// groupKey identifies a group of a level: the parts that are not zero tell what
// its members have in common.
type groupKey struct {
	namespace string
	account   string
	workload  Workload
}

func (k groupKey) compare(o groupKey) int {
	return cmp.Or(strings.Compare(k.namespace, o.namespace), strings.Compare(k.account, o.account), k.workload.Compare(o.workload))
}

func keyOf(level Level, m Member, shared map[Workload]string) groupKey {
	switch level {
	case ByCluster:
		return groupKey{}
	case ByNamespace:
		return groupKey{namespace: m.Workload.Namespace}
	case ByServiceAccount:
		return groupKey{namespace: m.Workload.Namespace, account: m.ServiceAccount}
	default:
		if account, ok := shared[m.Workload]; ok {
			return groupKey{namespace: m.Workload.Namespace, account: account}
		}
		return groupKey{namespace: m.Workload.Namespace, workload: m.Workload}
	}
}

// sharedAccounts returns, for each workload that must be taken together with
// another one, the account that stands for them all: workloads that are linked
// through several accounts get the smallest of these. An account that links
// nothing is not named, so two groups never get the same one.
func sharedAccounts(members []Member) map[Workload]string {
	byAccount := map[Account][]Workload{}
	podSeccomp := map[Account]bool{}
	for _, m := range members {
		a := Account{m.Workload.Namespace, m.ServiceAccount}
		byAccount[a] = append(byAccount[a], m.Workload)
		if m.Profile.Seccomp.Any(func(s profile.Seccomp) bool { return s.Pod != "" }) {
			podSeccomp[a] = true
		}
	}
	shared := map[Workload]string{}
	linking := func(a Account) bool { return podSeccomp[a] && len(byAccount[a]) > 1 }
	accounts := slices.DeleteFunc(slices.Collect(maps.Keys(byAccount)), func(a Account) bool { return !linking(a) })
	// Spread the smallest name until nothing changes: links are few and chains
	// of them are short.
	for changed := true; changed; {
		changed = false
		for _, a := range accounts {
			smallest := a.Name
			for _, w := range byAccount[a] {
				if name, ok := shared[w]; ok {
					smallest = min(smallest, name)
				}
			}
			for _, w := range byAccount[a] {
				if name, ok := shared[w]; !ok || name != smallest {
					shared[w], changed = smallest, true
				}
			}
		}
	}
	return shared
}
