package psp

import "github.com/psp-advisor/psp-advisor/pkg/profile"

// allowPrivilegeEscalation: false when every container says false itself. A
// container that leaves it unset would be changed by false, and one that is
// privileged or adds CAP_SYS_ADMIN, in that spelling, would then be invalid
// (pkg/apis/core/validation/validation.go, ValidateSecurityContext). The field
// is always written, since its absence means true
// (pkg/apis/policy/v1beta1/defaults.go).
func (d *draft) allowPrivilegeEscalation() {
	d.spec.AllowPrivilegeEscalation = !d.profile.AllowPrivilegeEscalation.All(is(profile.False))
	const path = "spec.allowPrivilegeEscalation"
	d.usedBy(path, d.profile.AllowPrivilegeEscalation.Uses(is(profile.True)))
	d.because(path, "left unset by", d.profile.AllowPrivilegeEscalation.Uses(is(profile.Unset)))
}

// readOnlyRootFilesystem: demanded when every container sets it; a container
// that leaves it unset would be changed (provider.go, mutateContainer).
func (d *draft) readOnlyRootFilesystem() {
	d.spec.ReadOnlyRootFilesystem = d.profile.ReadOnlyRootFilesystem.All(is(profile.True))
}
