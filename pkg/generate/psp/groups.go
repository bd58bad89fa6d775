package psp

import "github.com/psp-advisor/psp-advisor/pkg/profile"

/*
Restricted fields:

	spec.containers[*].securityContext.runAsGroup
	spec.securityContext.runAsGroup
	spec.securityContext.fsGroup
	spec.securityContext.supplementalGroups[*]

Allowed values: the groups in use. MustRunAs if every pod (runAsGroup: every
container) sets a group, MayRunAs if only some do, and MayRunAs with a harmless range
if none does.

MustRunAs would change a pod without a group, or deny it if its supplementalGroups
is an empty list (pkg/security/podsecuritypolicy/group/mustrunas.go, mayrunas.go).
*/

// nobody is the range of a rule if no pod sets a group. A range is required: without
// one, the API rejects runAsGroup and admission ignores the other rules. RunAsAny
// would allow group 0.
const nobody = 65534

func (d *draft) groups() {
	d.spec.RunAsGroup = d.groupRule("spec.runAsGroup", d.profile.RunAsGroup)
	d.spec.FSGroup = d.groupRule("spec.fsGroup", d.profile.FSGroup)
	d.spec.SupplementalGroups = d.groupRule("spec.supplementalGroups", d.profile.SupplementalGroups)
}

func (d *draft) groupRule(path string, ids profile.Set[profile.ID]) idRule {
	list := d.ranges(path+".ranges", ids)
	switch {
	case len(list) == 0:
		d.note(path, "not set by any pod; a range is required, so it is 65534 (nobody)")
		return idRule{mayRunAs, []idRange{{Min: nobody, Max: nobody}}}
	case ids.Has(profile.ID{}):
		return idRule{mayRunAs, list}
	default:
		return idRule{mustRunAs, list}
	}
}
