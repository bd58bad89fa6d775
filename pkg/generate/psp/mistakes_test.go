package psp

import (
	"strings"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// Mistakes that other generators make. Each is a pod and what its policy and
// grants must, and must not, say.
func TestMistakesOfOthers(t *testing.T) {
	for _, tc := range []struct {
		name    string
		pod     *corev1.Pod
		want    []string
		wantNot []string
	}{
		{
			"a cephfs volume spelled as in the pod is refused by the API",
			podtest.Pod(volume(corev1.VolumeSource{CephFS: &corev1.CephFSVolumeSource{}})),
			[]string{`"volumes":["cephFS"]`},
			[]string{"cephfs"},
		},
		{
			"a writable host path allowed read-only",
			podtest.Pod(volume(podtest.HostPath("/data"))),
			[]string{`"allowedHostPaths":[{"pathPrefix":"/data"}]`},
			[]string{`"readOnly":true`},
		},
		{
			"the pod's security context overlooked",
			podtest.Pod(podtest.Security(escalation(true)), podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
				sc.RunAsUser, sc.RunAsGroup, sc.FSGroup, sc.SupplementalGroups = new(int64(1)), new(int64(2)), new(int64(3)), []int64{4}
			})),
			[]string{
				`"runAsUser":{"rule":"MustRunAs","ranges":[{"min":1,"max":1}]}`, `"runAsGroup":{"rule":"MustRunAs","ranges":[{"min":2,"max":2}]}`,
				`"fsGroup":{"rule":"MustRunAs","ranges":[{"min":3,"max":3}]}`, `"supplementalGroups":{"rule":"MustRunAs","ranges":[{"min":4,"max":4}]}`,
			},
			nil,
		},
		{
			"an unmounted hostPath that opens every path",
			podtest.Pod(podtest.Volume("v", podtest.HostPath("/data"), nil)),
			[]string{`"volumes":["hostPath"]`, `"allowedHostPaths":[{"pathPrefix":"/data","readOnly":true}]`},
			nil,
		},
		{
			"a host port 0",
			hostPorts(0),
			nil,
			[]string{"hostPorts"},
		},
		{
			"capabilities of the container runtime's default left out of the allowed ones",
			podtest.Pod(podtest.Security(caps(capabilities{"CHOWN", "NET_BIND_SERVICE"}, nil))),
			[]string{`"allowedCapabilities":["CHOWN","NET_BIND_SERVICE"]`},
			nil,
		},
		{
			"added capabilities given to everyone",
			podtest.Pod(podtest.Security(caps(capabilities{"SYS_ADMIN"}, nil))),
			[]string{`"allowedCapabilities":["SYS_ADMIN"]`},
			[]string{"defaultAddCapabilities"},
		},
		{
			"no list of seccomp profiles",
			podtest.Pod(podSeccomp("RuntimeDefault", "")),
			[]string{`"seccomp.security.alpha.kubernetes.io/allowedProfileNames":"runtime/default"`},
			nil,
		},
		{
			"procMount overlooked",
			podtest.Pod(podtest.Security(func(sc *corev1.SecurityContext) { sc.ProcMount = new(corev1.UnmaskedProcMount) })),
			[]string{`"allowedProcMountTypes":["Unmasked"]`},
			nil,
		},
		{
			"any CSI driver",
			podtest.Pod(volume(corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "csi.example.com"}})),
			[]string{`"allowedCSIDrivers":[{"name":"csi.example.com"}]`},
			nil,
		},
		{
			"any FlexVolume driver",
			podtest.Pod(volume(corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: "example.com/lvm"}})),
			[]string{`"allowedFlexVolumes":[{"driver":"example.com/lvm"}]`},
			nil,
		},
		{
			"ephemeral volumes unknown",
			podtest.Pod(volume(corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}})),
			[]string{`"volumes":["ephemeral"]`},
			nil,
		},
		{
			"projected for every pod",
			podtest.Pod(volume(podtest.Token())),
			[]string{`"volumes":["secret"]`},
			[]string{"projected"},
		},
		{
			"secret for a pod without a token",
			podtest.Pod(func(p *corev1.Pod) { p.Spec.AutomountServiceAccountToken = new(false) }),
			nil,
			[]string{"volumes", "secret"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := asJSON(t, policyFor(t, tc.pod).Object)
			for _, want := range tc.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %s in %s", want, text)
				}
			}
			for _, not := range tc.wantNot {
				if strings.Contains(text, not) {
					t.Errorf("%s in %s", not, text)
				}
			}
		})
	}
	t.Run("a random order, or a time in the name", func(t *testing.T) {
		r := podtest.Rand(t)
		fleet := randomFleet(r)
		for _, level := range aggregate.Levels() {
			first, err := asYAML(policiesOf(fleet.Members(), level), true)
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				again, err := asYAML(policiesOf(fleet.Members(), level), true)
				if err != nil {
					t.Fatal(err)
				}
				if string(first) != string(again) {
					t.Fatal("another output for the same pods")
				}
			}
		}
	})
	t.Run("names that collide", func(t *testing.T) {
		a := aggregate.Workload{Namespace: "a-b", Group: "apps", Kind: "Deployment", Name: "c"}
		b := aggregate.Workload{Namespace: "a", Group: "apps", Kind: "Deployment", Name: "b-c"}
		if x, y := workloadName(a), workloadName(b); x == y {
			t.Errorf("both are %s", x)
		}
	})
}

func workloadName(w aggregate.Workload) string {
	return generate.Name(aggregate.Group{Level: aggregate.ByWorkload, Namespace: w.Namespace, Workload: &w})
}
