package psp

import (
	"testing"

	pspv1beta1 "github.com/psp-advisor/psp-advisor/pkg/apis/psp/v1beta1"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestRowRuntimeClass(t *testing.T) {
	class := func(name string) *corev1.Pod {
		return podtest.Pod(func(p *corev1.Pod) { p.Spec.RuntimeClassName = &name })
	}
	want := func(names ...string) *pspv1beta1.RuntimeClassStrategyOptions {
		return &pspv1beta1.RuntimeClassStrategyOptions{AllowedRuntimeClassNames: append([]string{}, names...)}
	}
	testRow(t, func(p Policy) *pspv1beta1.RuntimeClassStrategyOptions { return spec(p).RuntimeClass },
		[]rowCase[*pspv1beta1.RuntimeClassStrategyOptions]{
			// Nil would allow any.
			{"none", pods(podtest.Pod()), want()},
			{"the used ones", pods(class("kata"), class("gvisor")), want("gvisor", "kata")},
			{"unset is always allowed", pods(class("kata"), podtest.Pod()), want("kata")},
		})
}
