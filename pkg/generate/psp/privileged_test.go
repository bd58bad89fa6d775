package psp

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func privileged(sc *corev1.SecurityContext) { sc.Privileged = new(true) }

func TestRowPrivileged(t *testing.T) {
	testRow(t, func(p policy) bool { return spec(p).Privileged }, []rowCase[bool]{
		{"unset", pods(podtest.Pod()), false},
		{"false", pods(podtest.Pod(podtest.Security(func(sc *corev1.SecurityContext) { sc.Privileged = new(false) }))), false},
		{"true", pods(podtest.Pod(podtest.Security(privileged))), true},
		{"an init container", pods(podtest.Pod(podtest.Init("i", podtest.Context(privileged)))), true},
		{"one pod of two", pods(podtest.Pod(), podtest.Pod(podtest.Security(privileged))), true},
		{"a debug container", pods(podtest.Pod(podtest.Ephemeral("e", podtest.Context(privileged)))), false},
	})
}
