package psp

import (
	"slices"
	"strings"

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
	var patterns []string
	for _, name := range used.Values() {
		if !slices.Contains(safeSysctls, string(name)) {
			patterns = append(patterns, sysctlPattern(string(name)))
		}
	}
	for _, p := range patterns {
		redundant := slices.ContainsFunc(patterns, func(o string) bool { return o != p && matches(o, p) })
		if redundant || slices.Contains(d.spec.AllowedUnsafeSysctls, p) {
			continue
		}
		d.spec.AllowedUnsafeSysctls = append(d.spec.AllowedUnsafeSysctls, p)
		because(d, "allowedUnsafeSysctls", usedBy(p),
			func(p *profile.Profile) profile.Set[profile.Name] { return p.Sysctls },
			func(n profile.Name) bool { return !slices.Contains(safeSysctls, string(n)) && matches(p, string(n)) })
	}
	for _, name := range safeSysctls {
		allowed := slices.ContainsFunc(d.spec.AllowedUnsafeSysctls, func(p string) bool { return matches(p, name) })
		if !used.Has(profile.Name(name)) && !allowed {
			d.spec.ForbiddenSysctls = append(d.spec.ForbiddenSysctls, name)
		}
	}
}

// sysctlPattern returns the tightest pattern that admits name.
func sysctlPattern(name string) string {
	if prefix, _, slashed := strings.Cut(name, "/"); slashed {
		return prefix + wildcard
	}
	return name
}

// matches reports whether pattern, a name or a prefix followed by *, admits
// name.
func matches(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, wildcard); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}
