package psp

import (
	pspv1beta1 "github.com/psp-advisor/psp-advisor/pkg/apis/psp/v1beta1"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// nobody is the range of a rule when no pod asks for a group. A range is
// required (runAsGroup is refused without one, the others are ignored), and
// RunAsAny would let a pod ask for group 0.
const nobody = 65534

// groups: runAsGroup, fsGroup and supplementalGroups. MustRunAs over exact
// ranges when every pod (runAsGroup: every container) sets a group, MayRunAs
// when some do, and MayRunAs over one harmless range when none does; MustRunAs
// would change, or for an empty supplementalGroups list deny, a pod without
// (pkg/security/podsecuritypolicy/group/mustrunas.go, mayrunas.go).
func (d *draft) groups() {
	must, ranges := d.groupRule("runAsGroup", func(p *profile.Profile) profile.Set[profile.ID] { return p.RunAsGroup })
	d.spec.RunAsGroup = &pspv1beta1.RunAsGroupStrategyOptions{Rule: pspv1beta1.RunAsGroupStrategyMayRunAs, Ranges: ranges}
	if must {
		d.spec.RunAsGroup.Rule = pspv1beta1.RunAsGroupStrategyMustRunAs
	}
	must, ranges = d.groupRule("fsGroup", func(p *profile.Profile) profile.Set[profile.ID] { return p.FSGroup })
	d.spec.FSGroup = pspv1beta1.FSGroupStrategyOptions{Rule: pspv1beta1.FSGroupStrategyMayRunAs, Ranges: ranges}
	if must {
		d.spec.FSGroup.Rule = pspv1beta1.FSGroupStrategyMustRunAs
	}
	must, ranges = d.groupRule("supplementalGroups", func(p *profile.Profile) profile.Set[profile.ID] { return p.SupplementalGroups })
	d.spec.SupplementalGroups = pspv1beta1.SupplementalGroupsStrategyOptions{Rule: pspv1beta1.SupplementalGroupsStrategyMayRunAs, Ranges: ranges}
	if must {
		d.spec.SupplementalGroups.Rule = pspv1beta1.SupplementalGroupsStrategyMustRunAs
	}
}

// groupRule returns the rule and ranges of one group field: must is true when
// every observation has a group.
func (d *draft) groupRule(field string, set func(*profile.Profile) profile.Set[profile.ID]) (must bool, list []pspv1beta1.IDRange) {
	ids := set(d.profile)
	for _, r := range ranges(ids) {
		list = append(list, r.IDRange)
		because(d, field, usedBy(r.String()), set, r.has)
	}
	if len(list) == 0 {
		d.note(field, "set by no pod: a range is required, 65534 (nobody) stands for none")
		return false, []pspv1beta1.IDRange{{Min: nobody, Max: nobody}}
	}
	return !ids.Has(profile.ID{}), list
}
