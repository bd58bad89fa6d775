package psp

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func escalation(b bool) func(*corev1.SecurityContext) {
	return func(sc *corev1.SecurityContext) { sc.AllowPrivilegeEscalation = &b }
}

func TestRowAllowPrivilegeEscalation(t *testing.T) {
	testRow(t, func(p policy) bool { return spec(p).AllowPrivilegeEscalation }, []rowCase[bool]{
		// Its absence would mean true: it is always written.
		{"unset", pods(podtest.Pod()), true},
		{"false", pods(podtest.Pod(podtest.Security(escalation(false)))), false},
		{"true", pods(podtest.Pod(podtest.Security(escalation(true)))), true},
		{"one container without", pods(podtest.Pod(podtest.Security(escalation(false)), podtest.Init("i"))), true},
		{"one pod without", pods(podtest.Pod(podtest.Security(escalation(false))), podtest.Pod()), true},
		{"a privileged container cannot say false", pods(podtest.Pod(podtest.Security(privileged))), true},
	})
}

func TestRowReadOnlyRootFilesystem(t *testing.T) {
	root := func(b bool) func(*corev1.SecurityContext) {
		return func(sc *corev1.SecurityContext) { sc.ReadOnlyRootFilesystem = &b }
	}
	testRow(t, func(p policy) bool { return spec(p).ReadOnlyRootFilesystem }, []rowCase[bool]{
		{"unset", pods(podtest.Pod()), false},
		{"false", pods(podtest.Pod(podtest.Security(root(false)))), false},
		{"true", pods(podtest.Pod(podtest.Security(root(true)))), true},
		{"one container without", pods(podtest.Pod(podtest.Security(root(true)), podtest.Sidecar("s"))), false},
		{"one pod false", pods(podtest.Pod(podtest.Security(root(true))), podtest.Pod(podtest.Security(root(false)))), false},
	})
}

func TestEscalationReasons(t *testing.T) {
	p := policyFor(t, podtest.Pod(podtest.Security(escalation(true)), podtest.Sidecar("proxy")))
	want := []string{"used by Deployment/web (container c)", "left unset by Deployment/web (container proxy)"}
	if diff := cmp.Diff(want, p.why("allowPrivilegeEscalation")); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}
