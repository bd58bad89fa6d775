package psp

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestRowRuntimeClass(t *testing.T) {
	class := func(name string) *corev1.Pod {
		return podtest.Pod(func(p *corev1.Pod) { p.Spec.RuntimeClassName = &name })
	}
	want := func(names ...string) runtimeClassRule {
		return runtimeClassRule{AllowedRuntimeClassNames: append([]string{}, names...)}
	}
	testRow(t, func(p policy) runtimeClassRule { return spec(p).RuntimeClass },
		[]rowCase[runtimeClassRule]{
			// Nil would allow any.
			{"none", pods(podtest.Pod()), want()},
			{"the used ones", pods(class("kata"), class("gvisor")), want("gvisor", "kata")},
			{"unset is always allowed", pods(class("kata"), podtest.Pod()), want("kata")},
		})
}
