package psp

import (
	"slices"
	"sort"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

/*
Restricted fields:

	spec.securityContext.sysctls[*].name

Allowed values: the sysctls in use. Unsafe ones are allowed by name. If a pod uses
sysctls, the safe ones that none uses are forbidden; otherwise all sysctls are.

A name with slashes does not match its spelling with dots, and a policy cannot list it
(pkg/apis/policy/validation/validation.go, SysctlPatternFmt): only a pattern that ends
before its first slash allows it. The API rejects a forbidden name that an allowed
pattern matches.
*/

// safeSysctls are allowed unless they are forbidden
// (pkg/security/podsecuritypolicy/sysctl/mustmatchpatterns.go, 1.24).
var safeSysctls = []string{
	"kernel.shm_rmid_forced",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range",
	"net.ipv4.tcp_syncookies",
}

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

// sysctlPatterns returns the tightest patterns that allow the unsafe sysctls in use:
// names, or prefixes of names with slashes. No pattern matches another one.
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
		// If some prefix is one of n, it is the last one that is not greater than n:
		// everything between the two has that prefix too.
		i := sort.Search(len(prefixes), func(i int) bool { return prefixes[i] > string(n) })
		if i > 0 && strings.HasPrefix(string(n), prefixes[i-1]) {
			return profile.Name(prefixes[i-1] + wildcard)
		}
		return n
	})
}

// matches reports whether pattern, a name or a prefix followed by *, allows name.
func matches(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, wildcard); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}
