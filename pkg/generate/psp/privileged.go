package psp

import "github.com/psp-advisor/psp-advisor/pkg/profile"

/*
Restricted fields:

	spec.containers[*].securityContext.privileged

Allowed values: true if a container sets true, otherwise false or unset
(provider.go, validateContainer).
*/

func (d *draft) privileged() {
	if d.profile.Privileged.Has(profile.True) {
		d.spec.Privileged = true
		d.usedBy("spec.privileged", d.profile.Privileged.Uses(is(profile.True)))
	}
}
