package profile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// The lines of pods that differ stay apart, and a volume is added to each.
func TestPrivilegesOfEachPod(t *testing.T) {
	pod := func(tweak func(*corev1.PodSpec)) *Profile {
		p := podtest.Pod()
		p.Spec.HostUsers, p.Spec.Containers = new(false), nil
		tweak(&p.Spec)
		return Of(p, Options{})
	}
	both := Join(
		pod(func(s *corev1.PodSpec) { s.HostPID = true }),
		pod(func(s *corev1.PodSpec) { s.HostIPC = true }),
	)
	const rest = "default runtimeClass"
	got := map[string][]string{"before": both.Text("podPrivileges"), "with volume": both.WithVolume(ServiceAccountToken).Text("podPrivileges")}
	want := map[string][]string{
		"before": {
			rest + ", hostIPC, image groups",
			rest + ", hostPID, image groups",
		},
		"with volume": {
			rest + ", hostIPC, image groups, volume serviceAccountToken",
			rest + ", hostPID, image groups, volume serviceAccountToken",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
