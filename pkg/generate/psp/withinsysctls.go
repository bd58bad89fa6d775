package psp

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

/*
Compared fields:

	spec.allowedUnsafeSysctls
	spec.forbiddenSysctls

Admitted values: names that are not forbidden, and are safe or allowed
(pkg/security/podsecuritypolicy/sysctl/mustmatchpatterns.go).
*/

func (c *comparison) admitSysctls() {
	spec := &c.policy.Spec
	name := func(n profile.Name) string { return quote(n) }
	forbidden := func(n profile.Name) bool { return matchesAny(spec.ForbiddenSysctls, string(n)) }
	exceedsEach(c, "spec.forbiddenSysctls", c.profile.Sysctls, name, func(n profile.Name) bool { return !forbidden(n) })
	exceedsEach(c, "spec.allowedUnsafeSysctls", c.profile.Sysctls, name, func(n profile.Name) bool {
		return forbidden(n) || slices.Contains(safeSysctls, string(n)) || matchesAny(spec.AllowedUnsafeSysctls, string(n))
	})
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

func (c *comparison) checkSysctls() {
	spec := &c.policy.Spec
	for _, f := range []struct {
		field string
		list  []string
	}{{"spec.allowedUnsafeSysctls", spec.AllowedUnsafeSysctls}, {"spec.forbiddenSysctls", spec.ForbiddenSysctls}} {
		if len(f.list) > 1 && slices.Contains(f.list, wildcard) {
			c.fault(f.field, "'*' must be the only item")
		}
	}
	for _, a := range spec.AllowedUnsafeSysctls {
		for _, f := range spec.ForbiddenSysctls {
			if overlap(a, f) {
				c.fault("spec.allowedUnsafeSysctls", quote(a)+" overlaps with the forbidden "+quote(f))
			}
		}
	}
}

// overlap reports whether some sysctl matches both patterns.
func overlap(a, b string) bool {
	prefixA, patternA := strings.CutSuffix(a, wildcard)
	prefixB, patternB := strings.CutSuffix(b, wildcard)
	if patternA && patternB {
		return strings.HasPrefix(prefixA, prefixB) || strings.HasPrefix(prefixB, prefixA)
	}
	return matches(a, b) || matches(b, a)
}

func (c *comparison) tightenSysctls() {
	const field = "spec.allowedUnsafeSysctls"
	spec, need := &c.policy.Spec, &c.need.spec
	for _, pattern := range unique(spec.AllowedUnsafeSysctls) {
		var used []string
		for _, n := range c.need.profile.Sysctls.Values() {
			if matches(pattern, string(n)) && !slices.Contains(safeSysctls, string(n)) {
				used = append(used, string(n))
			}
		}
		switch {
		case slices.Contains(need.AllowedUnsafeSysctls, pattern):
		case len(used) > 0:
			c.tighter(field, quote(pattern)+" is written, only "+enough(used)+" is needed")
		default:
			c.unneeded(field, pattern)
		}
	}
	var missing []string
	for _, name := range need.ForbiddenSysctls {
		// What is allowed has a line of its own, and must not be forbidden.
		if name != wildcard && !matchesAny(spec.ForbiddenSysctls, name) {
			missing = append(missing, name)
		}
	}
	switch {
	case slices.Equal(need.ForbiddenSysctls, []string{wildcard}) && !slices.Contains(spec.ForbiddenSysctls, wildcard):
		c.tighter("spec.forbiddenSysctls", "'*' is not forbidden, no pod sets a sysctl")
	case len(missing) > 0:
		c.tighter("spec.forbiddenSysctls", enough(missing)+" is not forbidden, no pod sets it")
	}
}
