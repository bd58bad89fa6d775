package psp

import "github.com/psp-advisor/psp-advisor/pkg/profile"

// privileged: allowed when some container is privileged; false is the tightest
// (provider.go, validateContainer).
func (d *draft) privileged() {
	if d.profile.Privileged.Has(profile.True) {
		d.spec.Privileged = true
		d.usedBy("spec.privileged", d.profile.Privileged.Uses(is(profile.True)))
	}
}
