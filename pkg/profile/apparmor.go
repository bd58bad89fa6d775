package profile

import corev1 "k8s.io/api/core/v1"

// addAppArmor records a container's AppArmor profile from the annotation, the
// only form that 1.24 knows, and the newer field (the container's, else the
// pod's) beside it.
func (p *Profile) addAppArmor(c container) {
	p.AppArmor.add(Name(c.pod.Annotations[corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name]), c.Name)
	if f := either(c.sc.AppArmorProfile, c.podSC.AppArmorProfile); f != nil {
		p.AppArmorField.add(fieldOf(f.Type, f.LocalhostProfile), c.Name)
	}
}
