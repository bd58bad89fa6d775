package psp

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

/*
Compared fields:

	spec.hostPorts
	spec.runAsUser
	spec.runAsGroup
	spec.fsGroup
	spec.supplementalGroups

Admitted values: numbers in the ranges. MustRunAs sets the first number of the first
range where a pod leaves it unset, MayRunAs sets nothing, and MustRunAsNonRoot sets
runAsNonRoot where user and runAsNonRoot are unset
(pkg/security/podsecuritypolicy/user/mustrunas.go, nonroot.go, group/mustrunas.go,
mayrunas.go; provider.go, hasInvalidHostPort, mutateContainer).
*/

func (r idRange) has(n int64) bool { return r.Min <= n && n <= r.Max }

func (r idRange) String() string {
	if r.Min == r.Max {
		return strconv.FormatInt(r.Min, 10)
	}
	return fmt.Sprintf("%d-%d", r.Min, r.Max)
}

func inRanges(ranges []idRange) func(profile.ID) bool {
	return func(id profile.ID) bool {
		return !id.Set || slices.ContainsFunc(ranges, func(r idRange) bool { return r.has(id.Number) })
	}
}

func (c *comparison) admitHostPorts() {
	exceedsEach(c, "spec.hostPorts", c.profile.HostPorts, profile.ID.String, inRanges(c.policy.Spec.HostPorts))
}

func (c *comparison) admitUsers() {
	const field = "spec.runAsUser"
	rule, users := c.policy.Spec.RunAsUser, c.profile.RunAsUser
	switch {
	case rule.Rule == mustRunAs && len(rule.Ranges) > 0:
		c.admitIDs(field, rule, profile.Map(users, func(u profile.User) profile.ID { return u.UID }))
	case rule.Rule == mustRunAsNonRoot:
		c.exceeds(field, "runAsNonRoot: false", users.Uses(func(u profile.User) bool { return u.NonRoot == profile.False }))
		c.exceeds(field, "user 0", users.Uses(func(u profile.User) bool {
			return u.NonRoot != profile.False && u.UID == profile.ID{Set: true}
		}))
		c.changes(field, "sets runAsNonRoot: true", users.Uses(func(u profile.User) bool { return !u.UID.Set && u.NonRoot == profile.Unset }))
	}
}

func (c *comparison) admitGroups() {
	for _, f := range c.groupFields() {
		c.admitIDs(f.field, f.rule, f.used)
	}
}

// groupField is a rule of groups with the groups in use.
type groupField struct {
	field  string
	rule   idRule
	used   profile.Set[profile.ID]
	needed func(*policySpec) idRule
}

func (c *comparison) groupFields() []groupField {
	spec := &c.policy.Spec
	runAsGroup := idRule{Rule: runAsAny}
	if spec.RunAsGroup != nil {
		runAsGroup = *spec.RunAsGroup
	}
	return []groupField{
		{"spec.runAsGroup", runAsGroup, c.profile.RunAsGroup, func(s *policySpec) idRule { return s.RunAsGroup }},
		{"spec.fsGroup", spec.FSGroup, c.profile.FSGroup, func(s *policySpec) idRule { return s.FSGroup }},
		{"spec.supplementalGroups", spec.SupplementalGroups, c.profile.SupplementalGroups, func(s *policySpec) idRule { return s.SupplementalGroups }},
	}
}

// admitIDs admits the numbers in use under MustRunAs and MayRunAs.
func (c *comparison) admitIDs(field string, rule idRule, used profile.Set[profile.ID]) {
	if rule.Rule != mustRunAs && rule.Rule != mayRunAs || len(rule.Ranges) == 0 {
		return
	}
	exceedsEach(c, field+".ranges", used, profile.ID.String, inRanges(rule.Ranges))
	if rule.Rule != mustRunAs {
		return
	}
	first, unset := strconv.FormatInt(rule.Ranges[0].Min, 10), used.Uses(is(profile.ID{}))
	if rule.Ranges[0].Min > maxID {
		c.exceeds(field+".ranges", "another number than "+first+", which is too high,", unset)
		return
	}
	c.changes(field, "sets "+first, unset)
}

func (c *comparison) checkIDs() {
	spec := &c.policy.Spec
	c.checkRule("spec.runAsUser", spec.RunAsUser, mustRunAs, mustRunAsNonRoot, runAsAny)
	for _, f := range []struct {
		field string
		rule  idRule
	}{{"spec.fsGroup", spec.FSGroup}, {"spec.supplementalGroups", spec.SupplementalGroups}} {
		c.checkRule(f.field, f.rule, mustRunAs, mayRunAs, runAsAny)
	}
	if spec.RunAsGroup != nil {
		c.checkRule("spec.runAsGroup", *spec.RunAsGroup, mustRunAs, mayRunAs, runAsAny)
		if spec.RunAsGroup.Rule == runAsAny && len(spec.RunAsGroup.Ranges) > 0 {
			c.fault("spec.runAsGroup.ranges", "must be empty with RunAsAny")
		}
	}
}

// maxPort is the highest host port of a pod, and maxID its highest user or group.
// Policies may have higher ones.
const (
	maxPort = 1<<16 - 1
	maxID   = 1<<31 - 1
)

func (c *comparison) checkRule(field string, rule idRule, known ...string) {
	if !slices.Contains(known, rule.Rule) {
		c.fault(field+".rule", quote(rule.Rule)+" is no rule: want "+strings.Join(known, ", "))
		return
	}
	if (rule.Rule == mustRunAs || rule.Rule == mayRunAs) && len(rule.Ranges) == 0 {
		c.fault(field+".ranges", "required with "+rule.Rule+": admission ignores the policy")
	}
	for _, r := range rule.Ranges {
		if r.Min < 0 || r.Max < r.Min {
			c.fault(field+".ranges", r.String()+" is no range")
		}
	}
}

func (c *comparison) tightenHostPorts() {
	c.tightenRanges("spec.hostPorts", c.policy.Spec.HostPorts, c.need.spec.HostPorts, idRange{1, maxPort})
}

func (c *comparison) tightenUsers() {
	const field = "spec.runAsUser"
	rule, need := c.policy.Spec.RunAsUser, c.need.spec.RunAsUser
	switch {
	case rule.Rule == mustRunAs:
		users := profile.Map(c.need.profile.RunAsUser, func(u profile.User) profile.ID { return u.UID })
		c.tightenRule(field, rule, users)
	case need.Rule == mustRunAs, need.Rule == mustRunAsNonRoot && rule.Rule == runAsAny:
		c.tighter(field, rule.Rule+" is written, "+need.String()+" is enough")
	}
}

func (c *comparison) tightenGroups() {
	need := c.need.profile
	used := []profile.Set[profile.ID]{need.RunAsGroup, need.FSGroup, need.SupplementalGroups}
	for i, f := range c.groupFields() {
		needed := f.needed(&c.need.spec)
		switch {
		case f.rule.Rule == runAsAny:
			c.tighter(f.field, "RunAsAny is "+writtenOrDefault(f.field != "spec.runAsGroup" || c.policy.Spec.RunAsGroup != nil)+", "+needed.String()+" is enough")
		case f.rule.Rule == mayRunAs && needed.Rule == mustRunAs:
			c.tighter(f.field, "MayRunAs is written, "+needed.String()+" is enough")
		default:
			c.tightenRule(f.field, f.rule, used[i])
		}
	}
}

func (r idRule) String() string {
	if len(r.Ranges) == 0 {
		return r.Rule
	}
	return r.Rule + " " + rangeList(r.Ranges)
}

// rangeList returns the first few ranges.
func rangeList(ranges []idRange) string {
	var names []string
	for _, r := range ranges[:min(len(ranges), maxEnough)] {
		names = append(names, r.String())
	}
	if len(ranges) > len(names) {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

// tightenRule compares the ranges of MustRunAs or MayRunAs with the numbers that are
// set, by the pods or by the policy.
func (c *comparison) tightenRule(field string, rule idRule, used profile.Set[profile.ID]) {
	needed := (&draft{reasons: generate.Reasons{}, group: c.need.group}).ranges(field, used)
	if rule.Rule == mustRunAs && used.Has(profile.ID{}) {
		first := rule.Ranges[0].Min
		needed = append(needed, idRange{first, first})
	}
	if len(needed) == 0 {
		// Some range is required, so one number is as tight as another, except root.
		if len(rule.Ranges) == 1 && rule.Ranges[0].Min == rule.Ranges[0].Max && rule.Ranges[0].Min != 0 {
			return
		}
		c.tighter(field+".ranges", rangeList(rule.Ranges)+" is written, no pod sets one: "+strconv.Itoa(nobody)+" is enough")
		return
	}
	c.tightenRanges(field+".ranges", rule.Ranges, needed, idRange{0, maxID})
}

// tightenRanges compares written ranges with those that are needed. Only the numbers in
// possible can be.
func (c *comparison) tightenRanges(field string, written, needed []idRange, possible idRange) {
	for _, r := range written {
		var inside []idRange
		covered := int64(0)
		for _, n := range mergeRanges(needed) {
			low, high := max(r.Min, n.Min), min(r.Max, n.Max)
			if low <= high {
				inside = append(inside, idRange{low, high})
				covered += high - low + 1
			}
		}
		switch {
		case covered > min(r.Max, possible.Max)-max(r.Min, possible.Min):
			// All of it is needed.
		case len(inside) == 0:
			c.tighter(field, r.String()+" is not needed")
		default:
			c.tighter(field, r.String()+" is written, only "+rangeList(inside)+" is needed")
		}
	}
}

// mergeRanges returns disjoint ranges with the same numbers, sorted.
func mergeRanges(ranges []idRange) []idRange {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b idRange) int { return cmp.Compare(a.Min, b.Min) })
	var merged []idRange
	for _, r := range sorted {
		if n := len(merged); n > 0 && r.Min <= merged[n-1].Max {
			merged[n-1].Max = max(merged[n-1].Max, r.Max)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}
