package profile

import corev1 "k8s.io/api/core/v1"

/*
Observed fields:

	spec.securityContext.fsGroup
	spec.securityContext.supplementalGroups[*]

Values: unset, or a group.

An empty supplementalGroups list is unset: both request no group, and both need a
policy that requires none (pkg/security/podsecuritypolicy/group/mustrunas.go).
*/

func (p *Profile) addGroups(podSC *corev1.PodSecurityContext) {
	p.FSGroup.add(idOf(podSC.FSGroup), "")
	if len(podSC.SupplementalGroups) == 0 {
		p.SupplementalGroups.add(ID{}, "")
	}
	for i := range podSC.SupplementalGroups {
		p.SupplementalGroups.add(idOf(&podSC.SupplementalGroups[i]), "")
	}
}
