package profile

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestRunAsUser(t *testing.T) {
	podUser := podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsUser, sc.RunAsNonRoot = new(int64(1000)), new(true) })
	testAttributes(t, []attributeCase{
		{
			name: "pod level",
			pod:  podtest.Pod(podUser),
			want: map[string][]string{"runAsUser": {"runAsUser 1000, runAsNonRoot true by c"}},
		},
		{
			name: "pod level beside a security context without the fields",
			pod:  podtest.Pod(podUser, podtest.Security(notPrivileged)),
			want: map[string][]string{"runAsUser": {"runAsUser 1000, runAsNonRoot true by c"}},
		},
		{
			name: "container over pod, field by field",
			pod:  podtest.Pod(podUser, podtest.Security(func(sc *corev1.SecurityContext) { sc.RunAsUser = new(int64(0)) })),
			want: map[string][]string{"runAsUser": {"runAsUser 0, runAsNonRoot true by c"}},
		},
		{
			name: "container false over pod true",
			pod:  podtest.Pod(podUser, podtest.Security(func(sc *corev1.SecurityContext) { sc.RunAsNonRoot = new(false) })),
			want: map[string][]string{"runAsUser": {"runAsUser 1000, runAsNonRoot false by c"}},
		},
		{
			name: "one container differs",
			pod: podtest.Pod(podUser, podtest.Init("root", podtest.Context(func(sc *corev1.SecurityContext) {
				sc.RunAsUser, sc.RunAsNonRoot = new(int64(0)), new(false)
			}))),
			want: map[string][]string{"runAsUser": {"runAsUser 0, runAsNonRoot false by root", "runAsUser 1000, runAsNonRoot true by c"}},
		},
	})
}
