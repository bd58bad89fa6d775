package psp

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestRowAllowedProcMountTypes(t *testing.T) {
	mount := func(m corev1.ProcMountType) func(*corev1.SecurityContext) {
		return func(sc *corev1.SecurityContext) { sc.ProcMount = &m }
	}
	type list = []corev1.ProcMountType
	testRow(t, func(p policy) list { return spec(p).AllowedProcMountTypes }, []rowCase[list]{
		{"unset", pods(podtest.Pod()), nil},
		{"Default", pods(podtest.Pod(podtest.Security(mount("Default")))), nil},
		{"Unmasked only", pods(podtest.Pod(podtest.Security(mount("Unmasked")))), list{"Unmasked"}},
		{"a list without Default denies it", pods(podtest.Pod(podtest.Security(mount("Unmasked")), podtest.Sidecar("s"))), list{"Default", "Unmasked"}},
	})
}
