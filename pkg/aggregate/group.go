package aggregate

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

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
	// Profile is the union of the members' profiles. Its evidence names them by
	// their index in Members.
	Profile *profile.Profile
}

// ServiceAccounts returns the distinct accounts of the members, sorted; mirror
// pods, which have none, are excluded.
func (g Group) ServiceAccounts() []Account {
	var list []Account
	for _, m := range g.Members {
		if m.ServiceAccount != "" {
			list = append(list, m.Account())
		}
	}
	slices.SortFunc(list, Account.Compare)
	return slices.Compact(list)
}

// HasMirrorPods reports whether some member is a static pod.
func (g Group) HasMirrorPods() bool {
	return slices.ContainsFunc(g.Members, func(m Member) bool { return m.ServiceAccount == "" })
}

// Groups returns the groups of a level, sorted by namespace and name parts.
//
// At workload level, workloads that share a service account are taken together
// when shares, if it is not nil, is true of some member of that account: an
// engine may not be able to keep their policies apart.
func Groups(members []Member, level Level, shares func(Member) bool) []Group {
	var shared map[Workload]string
	if level == ByWorkload && shares != nil {
		shared = sharedAccounts(members, shares)
	}
	groups := map[groupKey]*Group{}
	for _, m := range slices.SortedFunc(slices.Values(members), Member.Compare) {
		key := keyOf(level, m, shared)
		g := groups[key]
		if g == nil {
			g = &Group{Level: level, Namespace: key.namespace, ServiceAccount: key.account}
			if key.workload != (Workload{}) {
				g.Workload = &key.workload
			}
			groups[key] = g
		}
		g.Members = append(g.Members, m)
	}
	list := make([]Group, 0, len(groups))
	for _, key := range slices.SortedFunc(maps.Keys(groups), groupKey.compare) {
		g := groups[key]
		profiles := make([]*profile.Profile, len(g.Members))
		for i, m := range g.Members {
			profiles[i] = m.Profile
		}
		g.Profile = profile.Gather(profiles...)
		list = append(list, *g)
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
func sharedAccounts(members []Member, shares func(Member) bool) map[Workload]string {
	workloads, accounts := map[Account][]Workload{}, map[Workload][]Account{}
	linking := map[Account]bool{}
	for _, m := range members {
		workloads[m.Account()] = append(workloads[m.Account()], m.Workload)
		linking[m.Account()] = linking[m.Account()] || shares(m)
	}
	maps.DeleteFunc(workloads, func(a Account, list []Workload) bool { return !linking[a] || len(list) < 2 })
	for a, list := range workloads {
		for _, w := range list {
			accounts[w] = append(accounts[w], a)
		}
	}
	shared := map[Workload]string{}
	// The smallest account that a workload is linked to is the first one that
	// reaches it.
	for _, first := range slices.SortedFunc(maps.Keys(workloads), Account.Compare) {
		reached := []Account{first}
		for len(reached) > 0 {
			a := reached[len(reached)-1]
			reached = reached[:len(reached)-1]
			for _, w := range workloads[a] {
				if _, known := shared[w]; !known {
					shared[w] = first.Name
					reached = append(reached, accounts[w]...)
				}
			}
			delete(workloads, a)
		}
	}
	return shared
}
