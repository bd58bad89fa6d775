package profile

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestProcMount(t *testing.T) {
	testAttributes(t, []attributeCase{
		{
			name: "nil is Default",
			pod: podtest.Pod(podtest.Sidecar("said", podtest.Context(func(sc *corev1.SecurityContext) {
				sc.ProcMount = new(corev1.DefaultProcMount)
			}))),
			want: map[string][]string{"procMount": {"Default by c said"}},
		},
		{
			name: "Unmasked",
			pod:  podtest.Pod(podtest.Security(func(sc *corev1.SecurityContext) { sc.ProcMount = new(corev1.UnmaskedProcMount) })),
			want: map[string][]string{"procMount": {"Unmasked by c"}},
		},
	})
}
