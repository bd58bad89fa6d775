package profile

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestAppArmor(t *testing.T) {
	key := corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix
	podField := podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
		sc.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
	})
	local := podtest.Context(func(sc *corev1.SecurityContext) {
		sc.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: new("p")}
	})
	testAttributes(t, []attributeCase{
		{
			name: "annotation, per container",
			pod:  podtest.Pod(podtest.Annotate(key+"c", "localhost/p"), podtest.Init("i")),
			want: map[string][]string{"appArmor": {"unset by i", "localhost/p by c"}, "appArmorProfile": nil},
		},
		{
			name: "annotation of a container that is not there",
			pod:  podtest.Pod(podtest.Annotate(key+"gone", "localhost/p")),
			want: map[string][]string{"appArmor": {"unset by c"}},
		},
		{
			name: "empty annotation",
			pod:  podtest.Pod(podtest.Annotate(key+"c", "")),
			want: map[string][]string{"appArmor": {"unset by c"}},
		},
		{
			name: "the field is another attribute: 1.24 does not know it",
			pod:  podtest.Pod(podField, podtest.Sidecar("s", local)),
			want: map[string][]string{
				"appArmor":        {"unset by c s"},
				"appArmorProfile": {"Localhost/p by s", "RuntimeDefault by c"},
			},
		},
	})
}
