package profile

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func seccompField(profile corev1.SeccompProfile) func(*corev1.SecurityContext) {
	return func(sc *corev1.SecurityContext) { sc.SeccompProfile = &profile }
}

func podSeccomp(profile corev1.SeccompProfile) func(*corev1.Pod) {
	return podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SeccompProfile = &profile })
}

func TestSeccomp(t *testing.T) {
	var (
		runtimeDefault = corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
		unconfined     = corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
		local          = corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: new("a/b.json")}
		podKey         = corev1.SeccompPodAnnotationKey
		containerKey   = corev1.SeccompContainerAnnotationKeyPrefix + "c"
	)
	for _, tc := range []struct {
		name string
		pod  *corev1.Pod
		want string
	}{
		{"unset", podtest.Pod(), "pod unset; containers unset"},
		{"pod field", podtest.Pod(podSeccomp(runtimeDefault)), "pod runtime/default; containers runtime/default"},
		{
			"pod field beside a security context without one", podtest.Pod(podSeccomp(runtimeDefault), podtest.Security(notPrivileged)),
			"pod runtime/default; containers runtime/default",
		},
		{"unconfined", podtest.Pod(podSeccomp(unconfined)), "pod unconfined; containers unconfined"},
		{"localhost", podtest.Pod(podSeccomp(local)), "pod localhost/a/b.json; containers localhost/a/b.json"},
		{"container field only", podtest.Pod(podtest.Security(seccompField(unconfined))), "pod unset; containers unconfined"},
		{
			"container field over pod field", podtest.Pod(podSeccomp(runtimeDefault), podtest.Security(seccompField(unconfined))),
			"pod runtime/default; containers unconfined",
		},
		{
			"distinct containers, sorted",
			podtest.Pod(podSeccomp(runtimeDefault), podtest.Security(seccompField(unconfined)), podtest.Sidecar("a"), podtest.Init("b")),
			"pod runtime/default; containers runtime/default, unconfined",
		},
		{"pod annotation", podtest.Pod(podtest.Annotate(podKey, "docker/default")), "pod docker/default; containers docker/default"},
		{
			"pod annotation over pod field, which containers look at first",
			podtest.Pod(podSeccomp(runtimeDefault), podtest.Annotate(podKey, "unconfined")), "pod unconfined; containers runtime/default",
		},
		{"container annotation", podtest.Pod(podtest.Annotate(containerKey, "unconfined")), "pod unset; containers unconfined"},
		{
			"container field over container annotation",
			podtest.Pod(podtest.Annotate(containerKey, "unconfined"), podtest.Security(seccompField(local))),
			"pod unset; containers localhost/a/b.json",
		},
		{
			"container annotation over pod field", podtest.Pod(podtest.Annotate(containerKey, "unconfined"), podSeccomp(runtimeDefault)),
			"pod runtime/default; containers unconfined",
		},
		{
			"an empty container annotation hides the pod's", podtest.Pod(podtest.Annotate(containerKey, ""), podSeccomp(runtimeDefault)),
			"pod runtime/default; containers unset",
		},
		{
			"another container's annotation", podtest.Pod(podtest.Annotate(containerKey, "unconfined"), podtest.Sidecar("d")),
			"pod unset; containers unset, unconfined",
		},
		{
			"localhost without a profile sets nothing", podtest.Pod(podSeccomp(corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost})),
			"pod unset; containers unset",
		},
		{"an unknown type sets nothing", podtest.Pod(podSeccomp(corev1.SeccompProfile{Type: "New"})), "pod unset; containers unset"},
		{
			"a name that looks like two", podtest.Pod(podtest.Annotate(podKey, "a; containers b")),
			`pod "a; containers b"; containers "a; containers b"`,
		},
	} {
		testAttributes(t, []attributeCase{{name: tc.name, pod: tc.pod, want: map[string][]string{"seccomp": {tc.want}}}})
	}
}

func TestSeccompField(t *testing.T) {
	unconfined := corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
	local := corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: new("a/b.json")}
	for _, tc := range []struct {
		name string
		pod  *corev1.Pod
		want string
	}{
		{"unset", podtest.Pod(), "pod unset; containers unset"},
		{"annotations are not read", podtest.Pod(podtest.Annotate(corev1.SeccompPodAnnotationKey, "unconfined")), "pod unset; containers unset"},
		{"inherited", podtest.Pod(podSeccomp(unconfined)), "pod Unconfined; containers Unconfined"},
		{
			"overridden in one container", podtest.Pod(podSeccomp(unconfined), podtest.Security(seccompField(local)), podtest.Sidecar("d")),
			"pod Unconfined; containers Localhost/a/b.json, Unconfined",
		},
	} {
		testAttributes(t, []attributeCase{{name: tc.name, pod: tc.pod, want: map[string][]string{"seccompProfile": {tc.want}}}})
	}
}
