package profile

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func ports(list ...corev1.ContainerPort) func(*corev1.Container) {
	return func(c *corev1.Container) { c.Ports = list }
}

func TestHostPorts(t *testing.T) {
	testAttributes(t, []attributeCase{
		{name: "none", pod: podtest.Pod(), want: map[string][]string{"hostPorts": nil}},
		{
			name: "0 is no host port",
			pod:  podtest.Pod(podtest.Container(ports(corev1.ContainerPort{ContainerPort: 8080}))),
			want: map[string][]string{"hostPorts": nil},
		},
		{
			name: "protocol and address do not matter",
			pod: podtest.Pod(podtest.Container(ports(
				corev1.ContainerPort{HostPort: 53, Protocol: corev1.ProtocolUDP},
				corev1.ContainerPort{HostPort: 53, Protocol: corev1.ProtocolTCP, HostIP: "127.0.0.1"}))),
			want: map[string][]string{"hostPorts": {"53 by c"}},
		},
		{
			name: "init containers too, sorted by number",
			pod: podtest.Pod(podtest.Container(ports(corev1.ContainerPort{HostPort: 9100})),
				podtest.Init("first", ports(corev1.ContainerPort{HostPort: 80}))),
			want: map[string][]string{"hostPorts": {"80 by first", "9100 by c"}},
		},
		{
			// What admission adds is the business of who reads manifests.
			name: "the host's network adds nothing here",
			pod: podtest.Pod(func(p *corev1.Pod) { p.Spec.HostNetwork = true },
				podtest.Container(ports(corev1.ContainerPort{ContainerPort: 8080}))),
			want: map[string][]string{"hostPorts": nil},
		},
	})
}
