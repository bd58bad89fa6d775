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
	// Workload is set if all members belong to this workload. Its static pods, which
	// have no account, are a separate group.
	Workload *Workload
	// ServiceAccount is set if the members form a group because they share this
	// account. It is empty for a group of mirror pods, which have none.
	ServiceAccount string
	// Members, sorted by workload and account.
	Members []Member
}

// Profile returns the union of the profiles of the members. Use.Member in its evidence is
// the index in Members.
func (g Group) Profile() *profile.Profile {
	profiles := make([]*profile.Profile, len(g.Members))
	for i, m := range g.Members {
		profiles[i] = m.Profile
	}
	return profile.Gather(profiles...)
}

// Attribute returns one attribute of Profile, which takes a fraction of the time.
func Attribute[T profile.Value[T]](g Group, of func(*profile.Profile) profile.Set[T]) profile.Set[T] {
	sets := make([]profile.Set[T], len(g.Members))
	for i, m := range g.Members {
		sets[i] = of(m.Profile)
	}
	return profile.GatherSets(sets...)
}

// ServiceAccounts returns the distinct accounts of the members, sorted. Mirror pods
// have none.
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
// At workload level, workloads that share a service account form one group if shares
// is not nil and is true for some member of that account: an engine may be unable to
// write separate policies for them.
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
		list = append(list, *groups[key])
	}
	return list
}

// unit is the smallest group: the pods of a workload. Its static pods, which have no
// account, are a separate unit.
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

// groupKey identifies a group of a level: its non-zero fields are what the members
// share.
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

// sharedAccounts returns, for each unit that must be in a group with another unit,
// the account that identifies the group: the smallest one of those that link its
// units. An account that links no units identifies none, so no two groups have the
// same account.
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
	// In this order, the first account that reaches a unit is the smallest one.
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
