package psp

import "github.com/psp-advisor/psp-advisor/pkg/profile"

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
	d.spec.RunAsGroup = d.groupRule("spec.runAsGroup", d.profile.RunAsGroup)
	d.spec.FSGroup = d.groupRule("spec.fsGroup", d.profile.FSGroup)
	d.spec.SupplementalGroups = d.groupRule("spec.supplementalGroups", d.profile.SupplementalGroups)
}

func (d *draft) groupRule(path string, ids profile.Set[profile.ID]) idRule {
	list := d.ranges(path+".ranges", ids)
	switch {
	case len(list) == 0:
		d.note(path, "set by no pod: a range is required, 65534 (nobody) stands for none")
		return idRule{mayRunAs, []idRange{{Min: nobody, Max: nobody}}}
	case ids.Has(profile.ID{}):
		return idRule{mayRunAs, list}
	default:
		return idRule{mustRunAs, list}
	}
}
