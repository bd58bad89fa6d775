package psp

import "github.com/psp-advisor/psp-advisor/pkg/profile"

// runAsUser: exact ranges when every container has a user number; MustRunAsNonRoot
// when none runs as 0, none says runAsNonRoot: false, and each has a number or
// says true; else RunAsAny (pkg/security/podsecuritypolicy/user/nonroot.go,
// mustrunas.go). MustRunAs always carries a range: without one the API accepts
// the policy and admission ignores it.
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
		d.because("spec.runAsUser", "may be root:", users.Uses(func(u profile.User) bool { return !nonRoot(u) }))
	}
}

func nonRoot(u profile.User) bool {
	return u.UID != profile.ID{Set: true, Number: 0} && u.NonRoot != profile.False &&
		(u.UID.Set || u.NonRoot == profile.True)
}
