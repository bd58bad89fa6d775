package podsecurity

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// check is one of upstream's checks with the versions that are in force in the judged
// minors.
type check struct {
	id       string
	level    api.Level
	versions []version
}

// version is a check in a range of minors.
type version struct {
	span
	run policy.CheckPodFn
	// overrides are the baseline checks that it replaces at its own level.
	overrides []policy.CheckID
}

// span is a range of minors, both included.
type span struct{ from, to int }

func (s span) has(minor int) bool { return s.from <= minor && minor <= s.to }

// checks are upstream's, sorted by level and name.
var checks = inForce(policy.DefaultChecks())

// overridden are the ranges in which a baseline check is replaced at the level
// restricted, by its name.
var overridden = overrides(checks)

func inForce(all []policy.Check) []check {
	var list []check
	for _, upstream := range all {
		c := check{id: string(upstream.ID), level: upstream.Level}
		to := Latest
		for _, v := range slices.Backward(upstream.Versions) {
			s := span{max(First, v.MinimumVersion.Minor()), to}
			if s.from > s.to {
				continue // replaced before First, or not yet in force
			}
			c.versions = append(c.versions, version{s, v.CheckPod, v.OverrideCheckIDs})
			to = s.from - 1
		}
		if len(c.versions) > 0 {
			slices.Reverse(c.versions)
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b check) int {
		return cmp.Or(api.CompareLevels(a.level, b.level), strings.Compare(a.id, b.id))
	})
	return list
}

func overrides(list []check) map[string][]span {
	byName := map[string][]span{}
	for _, c := range list {
		for _, v := range c.versions {
			for _, id := range v.overrides {
				byName[string(id)] = append(byName[string(id)], v.span)
			}
		}
	}
	return byName
}

func (c *check) verdict(s span) Verdict {
	v := Verdict{Level: c.level, Check: c.id, From: s.from, To: s.to}
	if v.To == Latest {
		v.To = 0
	}
	return v
}
