package psp

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestRowHostNamespaces(t *testing.T) {
	field := func(p policy) [3]bool { return [3]bool{spec(p).HostNetwork, spec(p).HostPID, spec(p).HostIPC} }
	network := podtest.Pod(func(p *corev1.Pod) { p.Spec.HostNetwork = true })
	pid := podtest.Pod(func(p *corev1.Pod) { p.Spec.HostPID = true })
	ipc := podtest.Pod(func(p *corev1.Pod) { p.Spec.HostIPC = true })
	testRow(t, field, []rowCase[[3]bool]{
		{"none", pods(podtest.Pod()), [3]bool{}},
		{"network", pods(network), [3]bool{true, false, false}},
		{"pid", pods(pid), [3]bool{false, true, false}},
		{"ipc, one pod of two", pods(podtest.Pod(), ipc), [3]bool{false, false, true}},
		{"all", pods(network, pid, ipc), [3]bool{true, true, true}},
	})
}
