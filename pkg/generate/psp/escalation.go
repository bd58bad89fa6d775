package psp

import "github.com/psp-advisor/psp-advisor/pkg/profile"

/*
Restricted fields:

	spec.containers[*].securityContext.allowPrivilegeEscalation

Allowed values: false if every container sets false, otherwise any.

With false, admission would change a container that leaves the field unset, and make
one invalid that is privileged or adds CAP_SYS_ADMIN, in that spelling
(pkg/apis/core/validation/validation.go, ValidateSecurityContext). The policy always
has the field, because it defaults to true (pkg/apis/policy/v1beta1/defaults.go).
*/

func (d *draft) allowPrivilegeEscalation() {
	d.spec.AllowPrivilegeEscalation = !d.profile.AllowPrivilegeEscalation.All(is(profile.False))
	const path = "spec.allowPrivilegeEscalation"
	d.usedBy(path, d.profile.AllowPrivilegeEscalation.Uses(is(profile.True)))
	d.because(path, "left unset by", d.profile.AllowPrivilegeEscalation.Uses(is(profile.Unset)))
}

/*
Restricted fields:

	spec.containers[*].securityContext.readOnlyRootFilesystem

Allowed values: true if every container sets true, otherwise any.

With true, admission would change a container that leaves the field unset
(provider.go, mutateContainer).
*/

func (d *draft) readOnlyRootFilesystem() {
	d.spec.ReadOnlyRootFilesystem = d.profile.ReadOnlyRootFilesystem.All(is(profile.True))
}
