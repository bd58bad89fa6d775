package podsecurity

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// lines returns the verdicts on a pod, each with its container.
func lines(pod *corev1.Pod) []string {
	var list []string
	for v, container := range Judge(&pod.ObjectMeta, &pod.Spec) {
		line := v.String()
		if container != "" {
			line += " by " + container
		}
		list = append(list, line)
	}
	return list
}

// A pod without privileges; the first container is "c".
func restricted(tweaks ...func(*corev1.Pod)) *corev1.Pod {
	return podtest.Pod(append([]func(*corev1.Pod){
		podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
			sc.RunAsNonRoot = new(true)
			sc.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
		}),
		podtest.Security(harmless),
	}, tweaks...)...)
}

func harmless(sc *corev1.SecurityContext) {
	sc.AllowPrivilegeEscalation = new(false)
	sc.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
}

func TestJudge(t *testing.T) {
	sysctl := func(name string) func(*corev1.Pod) {
		return podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.Sysctls = []corev1.Sysctl{{Name: name}} })
	}
	seLinux := func(kind string) func(*corev1.SecurityContext) {
		return func(sc *corev1.SecurityContext) { harmless(sc); sc.SELinuxOptions = &corev1.SELinuxOptions{Type: kind} }
	}
	noSeccomp := podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SeccompProfile = nil })
	for _, tc := range []struct {
		name string
		pod  *corev1.Pod
		want []string
	}{
		{"nothing to refuse", restricted(), nil},
		{"minimal pod", podtest.Pod(), []string{
			"restricted from 1.24: allowPrivilegeEscalation by c",
			"restricted from 1.24: capabilities_restricted by c",
			"restricted from 1.24: runAsNonRoot by c",
			"restricted from 1.24: seccompProfile_restricted by c",
		}},
		{"the pod as a whole", restricted(func(p *corev1.Pod) { p.Spec.HostPID = true }), []string{"baseline from 1.24: hostNamespaces"}},
		{"some containers", restricted(podtest.Sidecar("s", podtest.Context(harmless)), podtest.Init("i", podtest.Context(func(sc *corev1.SecurityContext) {
			harmless(sc)
			sc.Privileged = new(true)
		}))), []string{"baseline from 1.24: privileged by i"}},
		{"debug container", restricted(podtest.Ephemeral("e")), []string{
			"restricted from 1.24: allowPrivilegeEscalation by e", "restricted from 1.24: capabilities_restricted by e",
		}},
		{
			"the pod, not its containers", restricted(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsUser = new(int64(0)) }), podtest.Sidecar("s", podtest.Context(harmless))),
			[]string{"restricted from 1.24: runAsUser"},
		},
		{"of two versions of a check, each container in its minors", restricted(
			podtest.Security(seLinux("container_engine_t")), podtest.Sidecar("s", podtest.Context(seLinux("spc_t"))),
		), []string{"baseline from 1.24 to 1.30: seLinuxOptions by c", "baseline from 1.24: seLinuxOptions by s"}},
		{"sysctl safe since 1.29", restricted(sysctl("net.ipv4.tcp_fin_timeout")), []string{"baseline from 1.24 to 1.28: sysctls"}},
		{"unsafe sysctl", restricted(sysctl("kernel.msgmax")), []string{"baseline from 1.24: sysctls"}},
		{"probe host since 1.34", restricted(podtest.Container(func(c *corev1.Container) {
			c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: "10.0.0.1"}}}
		})), []string{"baseline from 1.34: hostProbesAndHostLifecycle by c"}},
		{"root in a user namespace until 1.34", restricted(podtest.Security(func(sc *corev1.SecurityContext) { sc.RunAsUser = new(int64(0)) }), func(p *corev1.Pod) {
			p.Spec.HostUsers = new(false)
		}), []string{"restricted from 1.24 to 1.34: runAsUser by c"}},
		{"unmasked in a user namespace: baseline since 1.35", restricted(podtest.Security(func(sc *corev1.SecurityContext) { sc.ProcMount = new(corev1.UnmaskedProcMount) }), func(p *corev1.Pod) {
			p.Spec.HostUsers = new(false)
		}), []string{"baseline from 1.24 to 1.34: procMount by c", "restricted from 1.35: procMount_restricted by c"}},
		{"Windows since 1.25", podtest.Pod(func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }), []string{
			"restricted from 1.24 to 1.24: allowPrivilegeEscalation by c",
			"restricted from 1.24 to 1.24: capabilities_restricted by c",
			"restricted from 1.24: runAsNonRoot by c",
			"restricted from 1.24 to 1.24: seccompProfile_restricted by c",
		}},
		{"volume without a source", restricted(podtest.Volume("v", corev1.VolumeSource{}, nil)), nil},
		{"hostPath", restricted(podtest.Volume("v", podtest.HostPath("/"), nil)), []string{
			"baseline from 1.24: hostPathVolumes", "restricted from 1.24: restrictedVolumes",
		}},
		{"seccomp annotation, which servers copied until 1.26", restricted(noSeccomp, podtest.Annotate(corev1.SeccompPodAnnotationKey, "runtime/default")), []string{
			"restricted from 1.27: seccompProfile_restricted by c",
		}},
		{"unconfined by annotation", restricted(noSeccomp, podtest.Annotate(corev1.SeccompContainerAnnotationKeyPrefix+"c", "unconfined")), []string{
			"baseline from 1.24 to 1.26: seccompProfile_baseline by c", "restricted from 1.24: seccompProfile_restricted by c",
		}},
		{"the field precedes the annotation", restricted(podtest.Annotate(corev1.SeccompPodAnnotationKey, "unconfined")), nil},
		{"local file by annotation", restricted(noSeccomp, podtest.Annotate(corev1.SeccompPodAnnotationKey, "localhost/a")), []string{
			"restricted from 1.27: seccompProfile_restricted by c",
		}},
		{"no containers", &corev1.Pod{Spec: corev1.PodSpec{HostIPC: true}}, []string{"baseline from 1.24: hostNamespaces"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := tc.pod.DeepCopy()
			if diff := cmp.Diff(append([]string{"judged from 1.24 to 1.37"}, tc.want...), lines(tc.pod)); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tc.pod); diff != "" {
				t.Errorf("Judge changed the pod:\n%s", diff)
			}
		})
	}
}

// Whoever takes only some of the verdicts gets no more.
func TestJudgeStops(t *testing.T) {
	pod := podtest.Pod(func(p *corev1.Pod) { p.Spec.HostPID = true })
	for n := range 4 {
		got := 0
		for range Judge(&pod.ObjectMeta, &pod.Spec) {
			if got++; got > n {
				break
			}
		}
		if got != n+1 {
			t.Errorf("stopped at %d, got %d", n+1, got)
		}
	}
}
