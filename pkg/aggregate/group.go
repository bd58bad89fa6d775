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
	// Workload is set when all members are of this one workload. Its static pods,
	// which have no account, are a group of their own.
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
	var shared map[unit]string
	if level == ByWorkload && shares != nil {
		shared = sharedAccounts(members, shares)
	}
	groups := map[groupKey]*Group{}
	for _, m := range slices.SortedFunc(slices.Values(members), Member.Compare) {
		key := keyOf(level, m, shared)
		g := groups[key]
		if g == nil {
			g = &Group{Level: level, Namespace: key.namespace, ServiceAccount: key.account}
			if key.unit != (unit{}) {
				g.Workload = &key.unit.workload
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

// unit is what always shares one policy: the pods of a workload. Its static pods,
// which have no account, are a unit of their own.
type unit struct {
	workload Workload
	static   bool
}

func unitOf(m Member) unit { return unit{m.Workload, m.ServiceAccount == ""} }

func (u unit) compare(o unit) int {
	static := func(u unit) int {
		if u.static {
			return 0
		}
		return 1
	}
	return cmp.Or(u.workload.Compare(o.workload), cmp.Compare(static(u), static(o)))
}

// groupKey identifies a group of a level: the parts that are not zero tell what
// its members have in common.
type groupKey struct {
	namespace string
	account   string
	unit      unit
}

func (k groupKey) compare(o groupKey) int {
	return cmp.Or(strings.Compare(k.namespace, o.namespace), strings.Compare(k.account, o.account), k.unit.compare(o.unit))
}

func keyOf(level Level, m Member, shared map[unit]string) groupKey {
	switch level {
	case ByCluster:
		return groupKey{}
	case ByNamespace:
		return groupKey{namespace: m.Workload.Namespace}
	case ByServiceAccount:
		return groupKey{namespace: m.Workload.Namespace, account: m.ServiceAccount}
	default:
		if account, ok := shared[unitOf(m)]; ok {
			return groupKey{namespace: m.Workload.Namespace, account: account}
		}
		return groupKey{namespace: m.Workload.Namespace, unit: unitOf(m)}
	}
}

// sharedAccounts returns, for each unit that must be taken together with another
// one, the account that stands for them all: units that are linked through several
// accounts get the smallest of these. An account that links nothing is not named,
// so two groups never get the same one.
func sharedAccounts(members []Member, shares func(Member) bool) map[unit]string {
	units, accounts := map[Account][]unit{}, map[unit][]Account{}
	linking := map[Account]bool{}
	for _, m := range members {
		units[m.Account()] = append(units[m.Account()], unitOf(m))
		linking[m.Account()] = linking[m.Account()] || shares(m)
	}
	maps.DeleteFunc(units, func(a Account, list []unit) bool { return !linking[a] || len(list) < 2 })
	for a, list := range units {
		for _, u := range list {
			accounts[u] = append(accounts[u], a)
		}
	}
	shared := map[unit]string{}
	// The smallest account that a unit is linked to is the first one that reaches it.
	for _, first := range slices.SortedFunc(maps.Keys(units), Account.Compare) {
		reached := []Account{first}
		for len(reached) > 0 {
			a := reached[len(reached)-1]
			reached = reached[:len(reached)-1]
			for _, u := range units[a] {
				if _, known := shared[u]; !known {
					shared[u] = first.Name
					reached = append(reached, accounts[u]...)
				}
			}
			delete(units, a)
		}
	}
	return shared
}
