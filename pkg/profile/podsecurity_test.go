package profile

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestPodSecurity(t *testing.T) {
	root := podtest.Security(func(sc *corev1.SecurityContext) {
		sc.AllowPrivilegeEscalation = new(false)
		sc.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
		sc.RunAsNonRoot, sc.RunAsUser = new(true), new(int64(0))
		sc.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	})
	ownUsers := func(p *corev1.Pod) { p.Spec.HostUsers = new(false) }
	debug := podtest.Ephemeral("e", podtest.Context(func(sc *corev1.SecurityContext) { sc.Privileged = new(true) }))
	const judged = "judged from 1.24 to 1.37"
	testAttributes(t, []attributeCase{
		{name: "root", pod: podtest.Pod(root), want: map[string][]string{"podSecurity": {judged, "restricted from 1.24: runAsUser by c"}}},
		{name: "root of a user namespace", pod: podtest.Pod(root, ownUsers), want: map[string][]string{
			"podSecurity": {judged, "restricted from 1.24 to 1.34: runAsUser by c"},
		}},
		{name: "debug container that is ignored", pod: podtest.Pod(root, debug), want: map[string][]string{
			"podSecurity": {judged, "restricted from 1.24: runAsUser by c"},
		}},
		{name: "debug container", pod: podtest.Pod(root, debug), options: Options{EphemeralContainers: true}, want: map[string][]string{
			"podSecurity": {
				judged, "baseline from 1.24: privileged by e", "restricted from 1.24: allowPrivilegeEscalation by e",
				"restricted from 1.24: capabilities_restricted by e", "restricted from 1.24: runAsNonRoot by e",
				"restricted from 1.24: runAsUser by c", "restricted from 1.24: seccompProfile_restricted by e",
			},
		}},
	})
}
