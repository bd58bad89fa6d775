package profile

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	corev1 "k8s.io/api/core/v1"
)

/*
Observed fields: those that decide what a pod asks for.

Values: the lines of package privilege, each with the containers that ask for it; and
the lines of each pod together, since a union of pods loses which of them belong to one
pod: what two pods ask for may be more than either does.
*/

func (p *Profile) addPrivileges(pod *corev1.Pod, o Options) {
	for _, a := range privilege.Of(pod, o.EphemeralContainers) {
		p.Privileges.add(Name(a.Line), a.Container)
	}
	p.PodPrivileges.add(namesOf(p.Privileges.Values()), "")
}

// WithVolume returns the profile of the same pods, with a volume of that type in each.
func (p *Profile) WithVolume(kind Name) *Profile {
	line := "volume " + string(kind)
	with := *p
	with.Volumes = union([]Set[Name]{p.Volumes, SetOf(kind)}, false)
	with.Privileges = union([]Set[Name]{p.Privileges, SetOf(Name(line))}, false)
	with.PodPrivileges = Map(p.PodPrivileges, func(n Names) Names { return namesOf(append(slices.Clone(n), line)) })
	return &with
}
