package psp

import "github.com/psp-advisor/psp-advisor/pkg/profile"

// hostNamespaces: hostNetwork, hostPID and hostIPC are allowed when a pod uses
// them (provider.go, ValidatePod).
func (d *draft) hostNamespaces() {
	for _, f := range []struct {
		name  string
		field *bool
		set   func(*profile.Profile) profile.Set[profile.Flag]
	}{
		{"hostNetwork", &d.spec.HostNetwork, func(p *profile.Profile) profile.Set[profile.Flag] { return p.HostNetwork }},
		{"hostPID", &d.spec.HostPID, func(p *profile.Profile) profile.Set[profile.Flag] { return p.HostPID }},
		{"hostIPC", &d.spec.HostIPC, func(p *profile.Profile) profile.Set[profile.Flag] { return p.HostIPC }},
	} {
		if f.set(d.profile).Has(profile.True) {
			*f.field = true
			because(d, f.name, "used by", f.set, is(profile.True))
		}
	}
}
