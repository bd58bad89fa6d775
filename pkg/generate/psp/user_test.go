package psp

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestRowRunAsUser(t *testing.T) {
	user := func(uid int64) func(*corev1.SecurityContext) {
		return func(sc *corev1.SecurityContext) { sc.RunAsUser = &uid }
	}
	nonRoot := func(b bool) func(*corev1.SecurityContext) {
		return func(sc *corev1.SecurityContext) { sc.RunAsNonRoot = &b }
	}
	podUser := podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsUser = new(int64(1000)) })
	type strategy = idRule
	must := func(ranges ...idRange) strategy { return strategy{Rule: "MustRunAs", Ranges: ranges} }
	mustNonRoot, runAsAny := strategy{Rule: "MustRunAsNonRoot"}, strategy{Rule: "RunAsAny"}
	testRow(t, func(p policy) strategy { return spec(p).RunAsUser }, []rowCase[strategy]{
		{"unset", pods(podtest.Pod()), runAsAny},
		{"the pod's", pods(podtest.Pod(podUser, podtest.Security(escalation(false)))), must(idRange{Min: 1000, Max: 1000})},
		{
			"exact ranges, neighbours merged", pods(podtest.Pod(podUser, podtest.Init("i", podtest.Context(user(1001)))), podtest.Pod(podtest.Security(user(5)))),
			must(idRange{Min: 5, Max: 5}, idRange{Min: 1000, Max: 1001}),
		},
		{"root by number", pods(podtest.Pod(podtest.Security(user(0)))), must(idRange{})},
		{
			"a number is enough, whatever runAsNonRoot says", pods(podtest.Pod(podUser, podtest.Security(nonRoot(false)))),
			must(idRange{Min: 1000, Max: 1000}),
		},
		{"non-root without a number", pods(podtest.Pod(podtest.Security(nonRoot(true)))), mustNonRoot},
		{"a number in one container, non-root in the other", pods(podtest.Pod(podtest.Security(user(1000)),
			podtest.Sidecar("s", podtest.Context(nonRoot(true))))), mustNonRoot},
		{"root in one container, non-root in the other", pods(podtest.Pod(podtest.Security(user(0)),
			podtest.Sidecar("s", podtest.Context(nonRoot(true))))), runAsAny},
		{"a container that says runAsNonRoot false", pods(podtest.Pod(podUser, podtest.Security(nonRoot(false))),
			podtest.Pod(podtest.Security(nonRoot(true)))), runAsAny},
		{"a container without either", pods(podtest.Pod(podtest.Security(nonRoot(true)), podtest.Sidecar("s"))), runAsAny},
	})
}
