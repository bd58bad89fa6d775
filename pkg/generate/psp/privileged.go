package psp

import "github.com/psp-advisor/psp-advisor/pkg/profile"

// privileged: allowed when some container is privileged; false is the tightest
// (provider.go, validateContainer).
func (d *draft) privileged() {
	if d.profile.Privileged.Has(profile.True) {
		d.spec.Privileged = true
		because(d, "privileged", "used by", func(p *profile.Profile) profile.Set[profile.Flag] { return p.Privileged }, is(profile.True))
	}
}
