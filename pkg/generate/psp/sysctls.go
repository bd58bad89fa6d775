package psp

import (
	"slices"
	"sort"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// safeSysctls are admitted unless forbidden
// (pkg/security/podsecuritypolicy/sysctl/mustmatchpatterns.go, 1.24).
var safeSysctls = []string{
	"kernel.shm_rmid_forced",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range",
	"net.ipv4.tcp_syncookies",
}

// sysctls: used ones that are not safe are allowed by name; when none is used at
// all, all are forbidden, else the safe ones that nobody uses. A name written
// with slashes is never taken for its dotted twin, and a policy may not name it
// (pkg/apis/policy/validation/validation.go, SysctlPatternFmt): only the prefix
// up to the first slash admits it. The API refuses a forbidden name that an
// allowed pattern matches.
func (d *draft) sysctls() {
	used := d.profile.Sysctls
	if used.Len() == 0 {
		d.spec.ForbiddenSysctls = []string{wildcard}
		return
	}
	patterns := sysctlPatterns(used)
	for i, it := range patterns.Items() {
		d.spec.AllowedUnsafeSysctls = append(d.spec.AllowedUnsafeSysctls, string(it.Value))
		d.usedBy(generate.Item("spec.allowedUnsafeSysctls", i), it.Uses)
	}
	for _, name := range safeSysctls {
		allowed := patterns.Any(func(p profile.Name) bool { return matches(string(p), name) })
		if !used.Has(profile.Name(name)) && !allowed {
			d.spec.ForbiddenSysctls = append(d.spec.ForbiddenSysctls, name)
		}
	}
}

// sysctlPatterns returns the tightest patterns that admit the used sysctls that
// are not safe: a name, or a prefix where some name is written with slashes. No
// pattern matches another one.
func sysctlPatterns(used profile.Set[profile.Name]) profile.Set[profile.Name] {
	var all, prefixes []string
	for _, n := range used.Values() {
		if prefix, _, slashed := strings.Cut(string(n), "/"); slashed {
			all = append(all, prefix)
		}
	}
	slices.Sort(all)
	for _, p := range all {
		if n := len(prefixes); n == 0 || !strings.HasPrefix(p, prefixes[n-1]) {
			prefixes = append(prefixes, p)
		}
	}
	others := used.Where(func(n profile.Name) bool { return !slices.Contains(safeSysctls, string(n)) })
	return profile.Map(others, func(n profile.Name) profile.Name {
		// A prefix of n is the last one that is not above n: between the two stands
		// nothing but what has that prefix too.
		i := sort.Search(len(prefixes), func(i int) bool { return prefixes[i] > string(n) })
		if i > 0 && strings.HasPrefix(string(n), prefixes[i-1]) {
			return profile.Name(prefixes[i-1] + wildcard)
		}
		return n
	})
}

// matches reports whether pattern, a name or a prefix followed by *, admits
// name.
func matches(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, wildcard); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}
