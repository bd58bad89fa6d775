package profile

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func caps(add, drop []corev1.Capability) func(*corev1.SecurityContext) {
	return func(sc *corev1.SecurityContext) { sc.Capabilities = &corev1.Capabilities{Add: add, Drop: drop} }
}

func TestCapabilities(t *testing.T) {
	type list = []corev1.Capability
	testAttributes(t, []attributeCase{
		{
			name: "nil",
			pod:  podtest.Pod(),
			want: map[string][]string{"addedCapabilities": nil, "droppedCapabilities": {"none by c"}},
		},
		{
			name: "empty",
			pod:  podtest.Pod(podtest.Security(caps(nil, nil))),
			want: map[string][]string{"addedCapabilities": nil, "droppedCapabilities": {"none by c"}},
		},
		{
			name: "spelling is kept",
			pod:  podtest.Pod(podtest.Security(caps(list{"CAP_NET_ADMIN", "NET_ADMIN", "net_admin"}, list{"ALL", "all"}))),
			want: map[string][]string{
				"addedCapabilities":   {"CAP_NET_ADMIN by c", "NET_ADMIN by c", "net_admin by c"},
				"droppedCapabilities": {"ALL, all by c"},
			},
		},
		{
			name: "the drops of a container stay together",
			pod: podtest.Pod(podtest.Security(caps(nil, list{"NET_RAW", "KILL", "NET_RAW"})),
				podtest.Sidecar("proxy", podtest.Context(caps(nil, list{"NET_RAW"}))), podtest.Init("first")),
			want: map[string][]string{"droppedCapabilities": {"none by first", "KILL, NET_RAW by c", "NET_RAW by proxy"}},
		},
	})
}
