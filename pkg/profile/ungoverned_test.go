package profile

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestWindows(t *testing.T) {
	podLevel := podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
		sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{HostProcess: new(true), RunAsUserName: new("ContainerUser")}
	})
	admin := podtest.Security(func(sc *corev1.SecurityContext) {
		sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{RunAsUserName: new("Administrator")}
	})
	testAttributes(t, []attributeCase{
		{name: "unset", pod: podtest.Pod(), want: map[string][]string{"hostProcess": nil, "runAsUserName": nil}},
		{
			name: "pod level", pod: podtest.Pod(podLevel, podtest.Security(notPrivileged)),
			want: map[string][]string{"hostProcess": {"true by c"}, "runAsUserName": {"ContainerUser by c"}},
		},
		{
			name: "container only", pod: podtest.Pod(admin),
			want: map[string][]string{"hostProcess": nil, "runAsUserName": {"Administrator by c"}},
		},
		{
			name: "container over pod, field by field", pod: podtest.Pod(podLevel, admin, podtest.Init("i")),
			want: map[string][]string{"hostProcess": {"true by c i"}, "runAsUserName": {"Administrator by c", "ContainerUser by i"}},
		},
	})
}

func TestUngovernedOfPods(t *testing.T) {
	testAttributes(t, []attributeCase{
		{
			name: "unset", pod: podtest.Pod(),
			want: map[string][]string{"hostUsers": nil, "shareProcessNamespace": nil, "supplementalGroupsPolicy": nil},
		},
		{
			name: "set",
			pod: podtest.Pod(func(p *corev1.Pod) { p.Spec.HostUsers, p.Spec.ShareProcessNamespace = new(false), new(true) },
				podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
					sc.SupplementalGroupsPolicy = new(corev1.SupplementalGroupsPolicyStrict)
				})),
			want: map[string][]string{"hostUsers": {"false"}, "shareProcessNamespace": {"true"}, "supplementalGroupsPolicy": {"Strict"}},
		},
	})
}

func TestMountPropagation(t *testing.T) {
	testAttributes(t, []attributeCase{
		{
			name: "set ones only",
			pod: podtest.Pod(podtest.Volume("v", corev1.VolumeSource{}, &corev1.VolumeMount{MountPropagation: new(corev1.MountPropagationBidirectional)}),
				podtest.Sidecar("s", podtest.Mount("v", corev1.VolumeMount{}))),
			want: map[string][]string{"mountPropagation": {"Bidirectional by c"}},
		},
	})
}

func TestProbeHosts(t *testing.T) {
	http := func(host string) corev1.ProbeHandler {
		return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: host}}
	}
	testAttributes(t, []attributeCase{
		{
			name: "no host",
			pod: podtest.Pod(podtest.Container(func(c *corev1.Container) {
				c.LivenessProbe = &corev1.Probe{ProbeHandler: http("")}
				c.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{}}}
				c.Lifecycle = &corev1.Lifecycle{}
			})),
			want: map[string][]string{"probeHosts": nil},
		},
		{
			name: "each probe and hook",
			pod: podtest.Pod(podtest.Container(func(c *corev1.Container) {
				c.LivenessProbe = &corev1.Probe{ProbeHandler: http("1.example")}
				c.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: "2.example"}}}
				c.StartupProbe = &corev1.Probe{ProbeHandler: http("3.example")}
				c.Lifecycle = &corev1.Lifecycle{
					PostStart: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Host: "4.example"}},
					PreStop:   &corev1.LifecycleHandler{TCPSocket: &corev1.TCPSocketAction{Host: "5.example"}},
				}
			})),
			want: map[string][]string{"probeHosts": {"1.example by c", "2.example by c", "3.example by c", "4.example by c", "5.example by c"}},
		},
	})
}

func TestSecretEnv(t *testing.T) {
	named := corev1.LocalObjectReference{Name: "whole"}
	testAttributes(t, []attributeCase{
		{
			name: "whole secrets and single keys",
			pod: podtest.Pod(podtest.Container(func(c *corev1.Container) {
				c.EnvFrom = []corev1.EnvFromSource{
					{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named}},
					{ConfigMapRef: &corev1.ConfigMapEnvSource{}},
				}
				c.Env = []corev1.EnvVar{
					{Name: "A", Value: "plain"},
					{Name: "B", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{}}},
					{Name: "C", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
						LocalObjectReference: corev1.LocalObjectReference{Name: "key"}, Key: "k",
					}}},
				}
			})),
			want: map[string][]string{"secretEnv": {"key by c", "whole by c"}},
		},
	})
}

func TestRuntimeUser(t *testing.T) {
	status := func(name string, user *corev1.LinuxContainerUser) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, User: &corev1.ContainerUser{Linux: user}}
	}
	testAttributes(t, []attributeCase{
		{
			name: "reported users, groups sorted",
			pod: podtest.Pod(func(p *corev1.Pod) {
				p.Status.ContainerStatuses = []corev1.ContainerStatus{
					status("c", &corev1.LinuxContainerUser{UID: 1000, GID: 3000, SupplementalGroups: []int64{10, 9}}),
					status("w", nil),
					{Name: "none"},
				}
				p.Status.InitContainerStatuses = []corev1.ContainerStatus{status("i", &corev1.LinuxContainerUser{})}
			}),
			want: map[string][]string{"runtimeUser": {"uid 0 gid 0 by i", "uid 1000 gid 3000 groups 9 10 by c"}},
		},
	})
}
