package profile

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestSELinux(t *testing.T) {
	podLevel := podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
		sc.SELinuxOptions = &corev1.SELinuxOptions{User: "u", Role: "r", Type: "t", Level: "s0:c1"}
	})
	spc := podtest.Context(func(sc *corev1.SecurityContext) { sc.SELinuxOptions = &corev1.SELinuxOptions{Type: "spc_t"} })
	for _, tc := range []struct {
		name string
		pod  *corev1.Pod
		want string
	}{
		{"unset", podtest.Pod(), "pod unset, containers unset"},
		{
			"pod level", podtest.Pod(podLevel, podtest.Security(notPrivileged)),
			`pod {user "u" role "r" type "t" level "s0:c1"}, containers {user "u" role "r" type "t" level "s0:c1"}`,
		},
		{"container only", podtest.Pod(podtest.Container(spc)), `pod unset, containers {type "spc_t"}`},
		{
			"container over pod, as a whole", podtest.Pod(podLevel, podtest.Container(spc)),
			`pod {user "u" role "r" type "t" level "s0:c1"}, containers {type "spc_t"}`,
		},
		{
			"distinct containers, unset first", podtest.Pod(podtest.Init("i", spc), podtest.Sidecar("s", spc)),
			`pod unset, containers unset {type "spc_t"}`,
		},
		{
			"empty options are set", podtest.Pod(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SELinuxOptions = &corev1.SELinuxOptions{} })),
			"pod {}, containers {}",
		},
		{
			"quotes", podtest.Pod(podtest.Security(func(sc *corev1.SecurityContext) {
				sc.SELinuxOptions = &corev1.SELinuxOptions{User: `a" role "b`}
			})),
			`pod unset, containers {user "a\" role \"b"}`,
		},
	} {
		testAttributes(t, []attributeCase{{name: tc.name, pod: tc.pod, want: map[string][]string{"seLinuxOptions": {tc.want}}}})
	}
}
