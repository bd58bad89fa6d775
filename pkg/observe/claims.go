package observe

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// withClaims returns the template that a StatefulSet uses: each claim template becomes
// a volume, and replaces a volume with its name
// (pkg/controller/statefulset/stateful_set_utils.go, updateStorage).
func withClaims(template *corev1.PodTemplateSpec, claims []string) *corev1.PodTemplateSpec {
	if len(claims) == 0 {
		return template
	}
	template = template.DeepCopy()
	template.Spec.Volumes = slices.DeleteFunc(template.Spec.Volumes, func(v corev1.Volume) bool {
		return slices.Contains(claims, v.Name)
	})
	for _, name := range claims {
		template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{
			Name: name,
			VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
			},
		})
	}
	return template
}
