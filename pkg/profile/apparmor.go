package profile

import corev1 "k8s.io/api/core/v1"

/*
Observed fields:

	metadata.annotations["container.apparmor.security.beta.kubernetes.io/*"]
	spec.containers[*].securityContext.appArmorProfile
	spec.securityContext.appArmorProfile

Values: AppArmor has the annotation of each container or unset; AppArmorField has
the container's field, else the pod's, where either is set.

They are two attributes because 1.24 knows only the annotation.
*/

func (p *Profile) addAppArmor(c container) {
	p.AppArmor.add(Name(c.pod.Annotations[corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name]), c.Name)
	if f := either(c.sc.AppArmorProfile, c.podSC.AppArmorProfile); f != nil {
		p.AppArmorField.add(fieldOf(f.Type, f.LocalhostProfile), c.Name)
	}
}
