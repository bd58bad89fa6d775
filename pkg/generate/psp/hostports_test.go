package psp

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func hostPorts(numbers ...int32) *corev1.Pod {
	return podtest.Pod(podtest.Container(func(c *corev1.Container) {
		for _, n := range numbers {
			c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: 80, HostPort: n})
		}
	}))
}

func TestRowHostPorts(t *testing.T) {
	type list = []idRange
	testRow(t, func(p policy) list { return spec(p).HostPorts }, []rowCase[list]{
		{"none", pods(podtest.Pod()), nil},
		{"0 is none", pods(hostPorts(0)), nil},
		{"one", pods(hostPorts(80)), list{{Min: 80, Max: 80}}},
		{"neighbours are merged, gaps are not", pods(hostPorts(83, 80, 81, 80, 8443)), list{{Min: 80, Max: 81}, {Min: 83, Max: 83}, {Min: 8443, Max: 8443}}},
		{"neighbours in two pods", pods(hostPorts(80), hostPorts(81)), list{{Min: 80, Max: 81}}},
		{"the ends", pods(hostPorts(1, 65535)), list{{Min: 1, Max: 1}, {Min: 65535, Max: 65535}}},
	})
}
