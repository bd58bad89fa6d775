package aggregate

import (
	"maps"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Pod is an observed pod, or a template that creates pods.
type Pod struct {
	Workload       Workload
	ServiceAccount string // see Member
	Template       bool
	// More is the number of further pods like this one.
	More    int
	Profile *profile.Profile
}

// Fleet collects pods. The zero Fleet is empty and ready for use.
type Fleet struct {
	members map[MemberKey]*tally
}

// tally collects the pods of a member. Pods of one template share an interned
// profile, so there are few profiles.
type tally struct {
	pods, templates int
	profiles        []*profile.Profile
}

// Add adds p.
func (f *Fleet) Add(p Pod) {
	key := MemberKey{p.Workload, p.ServiceAccount}
	t := f.members[key]
	if t == nil {
		if f.members == nil {
			f.members = map[MemberKey]*tally{}
		}
		t = &tally{}
		f.members[key] = t
	}
	if p.Template {
		t.templates++
	} else {
		t.pods += 1 + p.More
	}
	if !slices.Contains(t.profiles, p.Profile) {
		t.profiles = append(t.profiles, p.Profile)
	}
}

// Members returns the members of all added pods, sorted by workload and account.
func (f *Fleet) Members() []Member {
	list := make([]Member, 0, len(f.members))
	for key, t := range f.members {
		list = append(list, Member{key.Workload, key.ServiceAccount, t.pods, t.templates, profile.Join(t.profiles...)})
	}
	slices.SortFunc(list, Member.Compare)
	return list
}

// Join returns the members of several observations, sorted. A member that is in
// several of them has the union of their profiles and the highest of their counts,
// so that what was observed twice is counted once.
func Join(lists ...[]Member) []Member {
	byKey := map[MemberKey][]Member{}
	for _, list := range lists {
		for _, m := range list {
			key := m.Key()
			byKey[key] = append(byKey[key], m)
		}
	}
	joined := make([]Member, 0, len(byKey))
	for same := range maps.Values(byKey) {
		m := same[0]
		var profiles []*profile.Profile
		for _, o := range same {
			m.Pods, m.Templates = max(m.Pods, o.Pods), max(m.Templates, o.Templates)
			profiles = append(profiles, o.Profile)
		}
		m.Profile = profile.Join(profiles...)
		joined = append(joined, m)
	}
	slices.SortFunc(joined, Member.Compare)
	return joined
}
