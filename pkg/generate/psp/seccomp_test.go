package psp

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func podSeccomp(kind corev1.SeccompProfileType, local string) func(*corev1.Pod) {
	return podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SeccompProfile = seccompProfile(kind, local) })
}

func seccompProfile(kind corev1.SeccompProfileType, local string) *corev1.SeccompProfile {
	p := &corev1.SeccompProfile{Type: kind}
	if local != "" {
		p.LocalhostProfile = &local
	}
	return p
}

// absent stands for an annotation that is not there.
const absent = "<absent>"

func annotation(key string) func(policy) string {
	return func(p policy) string {
		if v, ok := p.Object.Annotations[key]; ok {
			return v
		}
		return absent
	}
}

func TestRowSeccomp(t *testing.T) {
	container := func(kind corev1.SeccompProfileType) func(*corev1.Container) {
		return podtest.Context(func(sc *corev1.SecurityContext) { sc.SeccompProfile = seccompProfile(kind, "") })
	}
	podAnnotation := func(value string) *corev1.Pod {
		return podtest.Pod(podtest.Annotate(corev1.SeccompPodAnnotationKey, value))
	}
	testRow(t, annotation("seccomp.security.alpha.kubernetes.io/allowedProfileNames"), []rowCase[string]{
		{"unset", pods(podtest.Pod()), absent},
		{"the whole pod", pods(podtest.Pod(podSeccomp("RuntimeDefault", ""))), "runtime/default"},
		{"unconfined must be allowed too", pods(podtest.Pod(podSeccomp("Unconfined", ""))), "unconfined"},
		{"the exact list, sorted", pods(podtest.Pod(podSeccomp("Unconfined", "")), podtest.Pod(podSeccomp("Localhost", "a.json"))), "localhost/a.json,unconfined"},
		{"the pod's own profile is judged beside the containers'", pods(podtest.Pod(podSeccomp("RuntimeDefault", ""),
			podtest.Container(container("Unconfined")))), "runtime/default,unconfined"},
		{"on containers only", pods(podtest.Pod(podtest.Container(container("RuntimeDefault")))), "*"},
		{"a pod without", pods(podtest.Pod(podSeccomp("RuntimeDefault", "")), podtest.Pod()), "*"},
		{"docker/default allows runtime/default", pods(podAnnotation("docker/default"), podtest.Pod(podSeccomp("RuntimeDefault", ""))), "runtime/default"},
		{"a local profile called docker/default", pods(podtest.Pod(podSeccomp("Localhost", "docker/default"))), "localhost/docker/default"},
		{"a comma would make two entries", pods(podtest.Pod(podSeccomp("Localhost", "a,b"))), "*"},
		{"a path that a list cannot have", pods(podAnnotation("localhost/../a")), "*"},
		{"an absolute path", pods(podAnnotation("localhost//a")), "*"},
		{"a name that a list may not hold", pods(podAnnotation("no-such-profile")), "*"},
		{"localhost/* is no pattern", pods(podtest.Pod(podSeccomp("Localhost", "*"))), "localhost/*"},
	})
}

func TestRowSeccompDefault(t *testing.T) {
	testRow(t, annotation("seccomp.security.alpha.kubernetes.io/defaultProfileName"), []rowCase[string]{
		{"unset", pods(podtest.Pod()), absent},
		{"set", pods(podtest.Pod(podSeccomp("RuntimeDefault", ""))), absent},
	})
}

func TestSeccompReasons(t *testing.T) {
	docker := podtest.Pod(podtest.Annotate(corev1.SeccompPodAnnotationKey, "docker/default"))
	for _, tc := range []rowCase[[]string]{
		{"listed", pods(podtest.Pod(podSeccomp("RuntimeDefault", ""))), []string{"runtime/default: used by Deployment/web"}},
		{"the old name", pods(docker), []string{"runtime/default: used by Deployment/web"}},
		{"partly", pods(podtest.Pod(podSeccomp("RuntimeDefault", "")), podtest.Pod()), []string{"missing at pod level or in a container: Deployment/web"}},
		{"not to be listed", pods(podtest.Pod(podSeccomp("Localhost", "a,b"))), []string{"set to a profile that cannot be listed: Deployment/web"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, policyFor(t, tc.pods...).why(seccompAllowedAnnotation)); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}
