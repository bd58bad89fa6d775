package profile

import corev1 "k8s.io/api/core/v1"

// addGroups records the pod's groups. An empty supplementalGroups list counts as
// unset: both ask for no group, and both need a policy that demands none
// (pkg/security/podsecuritypolicy/group/mustrunas.go).
func (p *Profile) addGroups(podSC *corev1.PodSecurityContext) {
	p.FSGroup.add(idOf(podSC.FSGroup), "")
	if len(podSC.SupplementalGroups) == 0 {
		p.SupplementalGroups.add(ID{}, "")
	}
	for i := range podSC.SupplementalGroups {
		p.SupplementalGroups.add(idOf(&podSC.SupplementalGroups[i]), "")
	}
}
