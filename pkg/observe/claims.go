package observe

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// withClaims returns the template that a StatefulSet uses: each claim template becomes
// a volume, and replaces a volume with its name
// (pkg/controller/statefulset/stateful_set_utils.go, updateStorage).
func withClaims(set *appsv1.StatefulSet) *corev1.PodTemplateSpec {
	claims := set.Spec.VolumeClaimTemplates
	if len(claims) == 0 {
		return &set.Spec.Template
	}
	template := set.Spec.Template.DeepCopy()
	template.Spec.Volumes = slices.DeleteFunc(template.Spec.Volumes, func(v corev1.Volume) bool {
		return slices.ContainsFunc(claims, func(c corev1.PersistentVolumeClaim) bool { return c.Name == v.Name })
	})
	for _, c := range claims {
		template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{
			Name: c.Name,
			VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: c.Name},
			},
		})
	}
	return template
}
