package observe

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestTokenOf(t *testing.T) {
	yes, no := true, false
	mounted := corev1.Container{VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: tokenMountPath}}}
	for _, tc := range []struct {
		name string
		spec corev1.PodSpec
		want Token
	}{
		{"plain", corev1.PodSpec{Containers: []corev1.Container{{}}}, TokenByAccount},
		{"asked for", corev1.PodSpec{AutomountServiceAccountToken: &yes, Containers: []corev1.Container{{}}}, TokenAlways},
		{"opted out", corev1.PodSpec{AutomountServiceAccountToken: &no, Containers: []corev1.Container{{}}}, NoToken},
		{"place taken", corev1.PodSpec{Containers: []corev1.Container{mounted}}, NoToken},
		{"place taken in one of two", corev1.PodSpec{InitContainers: []corev1.Container{{}}, Containers: []corev1.Container{mounted}}, TokenByAccount},
		{"a volume of a token volume's name", corev1.PodSpec{
			AutomountServiceAccountToken: &yes, Containers: []corev1.Container{{}},
			Volumes: []corev1.Volume{{Name: "kube-api-access-own"}},
		}, NoToken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tokenOf(&tc.spec); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}
