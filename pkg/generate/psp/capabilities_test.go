package psp

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

type capabilities = []corev1.Capability

func caps(add, drop capabilities) func(*corev1.SecurityContext) {
	return func(sc *corev1.SecurityContext) { sc.Capabilities = &corev1.Capabilities{Add: add, Drop: drop} }
}

func TestRowAllowedCapabilities(t *testing.T) {
	testRow(t, func(p policy) capabilities { return spec(p).AllowedCapabilities }, []rowCase[capabilities]{
		{"none", pods(podtest.Pod()), nil},
		{"the union, sorted", pods(
			podtest.Pod(podtest.Security(caps(capabilities{"SYS_TIME"}, nil)), podtest.Init("i", podtest.Context(caps(capabilities{"NET_ADMIN"}, nil)))),
			podtest.Pod(podtest.Security(caps(capabilities{"KILL", "KILL"}, nil)))), capabilities{"KILL", "NET_ADMIN", "SYS_TIME"}},
		{"ALL is a literal, no wildcard", pods(podtest.Pod(podtest.Security(caps(capabilities{"ALL"}, nil)))), capabilities{"ALL"}},
		{
			"spelling is kept", pods(podtest.Pod(podtest.Security(caps(capabilities{"CAP_NET_ADMIN", "NET_ADMIN", "net_admin"}, nil)))),
			capabilities{"CAP_NET_ADMIN", "NET_ADMIN", "net_admin"},
		},
		{"a literal wildcard must stand alone", pods(podtest.Pod(podtest.Security(caps(capabilities{"*", "KILL"}, nil)))), capabilities{"*"}},
	})
}

func TestRowRequiredDropCapabilities(t *testing.T) {
	dropping := func(list ...corev1.Capability) *corev1.Pod { return podtest.Pod(podtest.Security(caps(nil, list))) }
	testRow(t, func(p policy) capabilities { return spec(p).RequiredDropCapabilities }, []rowCase[capabilities]{
		{"none", pods(podtest.Pod()), nil},
		{"what each container drops", pods(podtest.Pod(podtest.Security(caps(nil, capabilities{"NET_RAW", "KILL"})),
			podtest.Init("i", podtest.Context(caps(nil, capabilities{"MKNOD", "NET_RAW"}))))), capabilities{"NET_RAW"}},
		{"what each pod drops", pods(dropping("NET_RAW", "KILL"), dropping("KILL", "MKNOD")), capabilities{"KILL"}},
		{"one container drops nothing", pods(podtest.Pod(podtest.Security(caps(nil, capabilities{"ALL"})), podtest.Sidecar("s"))), nil},
		{"ALL is enough", pods(dropping("NET_RAW", "ALL", "KILL")), capabilities{"ALL"}},
		{"ALL does not stand for each", pods(dropping("ALL"), dropping("KILL")), nil},
		{"all is not ALL", pods(dropping("ALL"), dropping("all")), nil},
		{"all as it is written", pods(dropping("all", "KILL")), capabilities{"KILL", "all"}},
		{"ALL dropped, one added back", pods(podtest.Pod(podtest.Security(caps(capabilities{"NET_BIND_SERVICE"}, capabilities{"ALL"})))), capabilities{"ALL"}},
		{
			"never what is allowed", pods(dropping("KILL", "MKNOD"), podtest.Pod(podtest.Security(caps(capabilities{"KILL"}, capabilities{"KILL", "MKNOD"})))),
			capabilities{"MKNOD"},
		},
		{"ALL added and dropped", pods(podtest.Pod(podtest.Security(caps(capabilities{"ALL"}, capabilities{"ALL", "KILL"})))), capabilities{"KILL"}},
		{"none beside the wildcard", pods(podtest.Pod(podtest.Security(caps(capabilities{"*"}, capabilities{"KILL"})))), nil},
	})
}
