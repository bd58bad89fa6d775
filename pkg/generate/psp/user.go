package psp

import "github.com/psp-advisor/psp-advisor/pkg/profile"

/*
Restricted fields:

	spec.containers[*].securityContext.runAsUser
	spec.containers[*].securityContext.runAsNonRoot
	spec.securityContext.runAsUser
	spec.securityContext.runAsNonRoot

Allowed values: the users in use if every container sets runAsUser; any but root if no
container sets user 0 or runAsNonRoot: false, and each sets a user or
runAsNonRoot: true; otherwise any
(pkg/security/podsecuritypolicy/user/mustrunas.go, nonroot.go).

MustRunAs always has a range: without one the API accepts the policy and admission
ignores it.
*/

func (d *draft) runAsUser() {
	users := d.profile.RunAsUser
	switch {
	case users.All(func(u profile.User) bool { return u.UID.Set }):
		uids := profile.Map(users, func(u profile.User) profile.ID { return u.UID })
		d.spec.RunAsUser = idRule{Rule: mustRunAs, Ranges: d.ranges("spec.runAsUser.ranges", uids)}
	case users.All(nonRoot):
		d.spec.RunAsUser.Rule = mustRunAsNonRoot
	default:
		d.spec.RunAsUser.Rule = runAsAny
		d.because("spec.runAsUser", "can run as root:", users.Uses(func(u profile.User) bool { return !nonRoot(u) }))
	}
}

func nonRoot(u profile.User) bool {
	return u.UID != profile.ID{Set: true, Number: 0} && u.NonRoot != profile.False &&
		(u.UID.Set || u.NonRoot == profile.True)
}
