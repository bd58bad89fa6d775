package psp

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func podSELinux(o corev1.SELinuxOptions) func(*corev1.Pod) {
	return podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SELinuxOptions = &o })
}

func TestRowSELinux(t *testing.T) {
	context := func(o corev1.SELinuxOptions) func(*corev1.Container) {
		return podtest.Context(func(sc *corev1.SecurityContext) { sc.SELinuxOptions = &o })
	}
	full := corev1.SELinuxOptions{User: "u", Role: "r", Type: "t", Level: "s0:c1,c2"}
	turned, spelled, other := full, full, full
	turned.Level, spelled.Level, other.Level = "s0:c2,c1", "s0:c1.c2", "s1:c1,c2"
	runAsAny := seLinuxRule{Rule: "RunAsAny"}
	mustRunAs := func(o corev1.SELinuxOptions) seLinuxRule {
		return seLinuxRule{Rule: "MustRunAs", SELinuxOptions: &o}
	}
	testRow(t, func(p policy) seLinuxRule { return spec(p).SELinux }, []rowCase[seLinuxRule]{
		{"unset", pods(podtest.Pod()), runAsAny},
		{"the same for every whole pod", pods(podtest.Pod(podSELinux(full)), podtest.Pod(podSELinux(full), podtest.Sidecar("s"))), mustRunAs(full)},
		{"only on the containers", pods(podtest.Pod(podtest.Container(context(full)))), runAsAny},
		{"a container repeats it", pods(podtest.Pod(podSELinux(full), podtest.Container(context(full)))), mustRunAs(full)},
		{"a container differs", pods(podtest.Pod(podSELinux(full), podtest.Init("i", context(other)))), runAsAny},
		{"a pod differs", pods(podtest.Pod(podSELinux(full)), podtest.Pod(podSELinux(other))), runAsAny},
		{"a pod without", pods(podtest.Pod(podSELinux(full)), podtest.Pod()), runAsAny},
		{"categories in any order", pods(podtest.Pod(podSELinux(full)), podtest.Pod(podSELinux(turned))), mustRunAs(full)},
		{"ranges of categories are not expanded", pods(podtest.Pod(podSELinux(full)), podtest.Pod(podSELinux(spelled))), runAsAny},
		{"empty options are options", pods(podtest.Pod(podSELinux(corev1.SELinuxOptions{}))), mustRunAs(corev1.SELinuxOptions{})},
	})
}
