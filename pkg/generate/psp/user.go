package psp

import (
	pspv1beta1 "github.com/psp-advisor/psp-advisor/pkg/apis/psp/v1beta1"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// runAsUser: exact ranges when every container has a user number; MustRunAsNonRoot
// when none runs as 0, none says runAsNonRoot: false, and each has a number or
// says true; else RunAsAny (pkg/security/podsecuritypolicy/user/nonroot.go,
// mustrunas.go). MustRunAs always carries a range: without one the API accepts
// the policy and admission ignores it.
func (d *draft) runAsUser() {
	users := d.profile.RunAsUser
	var uids []profile.ID
	for _, u := range users.Values() {
		uids = append(uids, u.UID)
	}
	set := func(p *profile.Profile) profile.Set[profile.User] { return p.RunAsUser }
	switch {
	case users.All(func(u profile.User) bool { return u.UID.Set }):
		d.spec.RunAsUser.Rule = pspv1beta1.RunAsUserStrategyMustRunAs
		for _, r := range ranges(profile.SetOf(uids...)) {
			d.spec.RunAsUser.Ranges = append(d.spec.RunAsUser.Ranges, r.IDRange)
			because(d, "runAsUser", usedBy(r.String()), set, func(u profile.User) bool { return r.has(u.UID) })
		}
	case users.All(nonRoot):
		d.spec.RunAsUser.Rule = pspv1beta1.RunAsUserStrategyMustRunAsNonRoot
	default:
		d.spec.RunAsUser.Rule = pspv1beta1.RunAsUserStrategyRunAsAny
		because(d, "runAsUser", "may be root:", set, func(u profile.User) bool { return !nonRoot(u) })
	}
}

func nonRoot(u profile.User) bool {
	return u.UID != profile.ID{Set: true, Number: 0} && u.NonRoot != profile.False &&
		(u.UID.Set || u.NonRoot == profile.True)
}
