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
	rule, list := d.groupRule("runAsGroup", func(p *profile.Profile) profile.Set[profile.ID] { return p.RunAsGroup })
	d.spec.RunAsGroup = &pspv1beta1.RunAsGroupStrategyOptions{Rule: pspv1beta1.RunAsGroupStrategy(rule), Ranges: list}
	rule, list = d.groupRule("fsGroup", func(p *profile.Profile) profile.Set[profile.ID] { return p.FSGroup })
	d.spec.FSGroup = pspv1beta1.FSGroupStrategyOptions{Rule: pspv1beta1.FSGroupStrategyType(rule), Ranges: list}
	rule, list = d.groupRule("supplementalGroups", func(p *profile.Profile) profile.Set[profile.ID] { return p.SupplementalGroups })
	d.spec.SupplementalGroups = pspv1beta1.SupplementalGroupsStrategyOptions{Rule: pspv1beta1.SupplementalGroupsStrategyType(rule), Ranges: list}
}

// groupRule returns the rule, whose names the three fields share, and the ranges
// of one group field.
func (d *draft) groupRule(field string, set func(*profile.Profile) profile.Set[profile.ID]) (rule string, list []pspv1beta1.IDRange) {
	ids := set(d.profile)
	for _, r := range ranges(ids) {
		list = append(list, r.IDRange)
		because(d, field, usedBy(r.String()), set, r.has)
	}
	switch {
	case len(list) == 0:
		d.note(field, "set by no pod: a range is required, 65534 (nobody) stands for none")
		return "MayRunAs", []pspv1beta1.IDRange{{Min: nobody, Max: nobody}}
	case ids.Has(profile.ID{}):
		return "MayRunAs", list
	default:
		return "MustRunAs", list
	}
}
