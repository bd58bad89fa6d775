package podtest

import corev1 "k8s.io/api/core/v1"

// Attributes returns, for each attribute of a profile by its name, two pods whose
// profiles differ in that attribute and no other.
func Attributes() map[string][2]*corev1.Pod {
	plain := func(tweaks ...func(*corev1.Pod)) [2]*corev1.Pod { return [2]*corev1.Pod{Pod(), Pod(tweaks...)} }
	spec := func(tweak func(*corev1.PodSpec)) func(*corev1.Pod) { return func(p *corev1.Pod) { tweak(&p.Spec) } }
	seLinux := func(kind string) *corev1.Pod {
		return Pod(PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SELinuxOptions = &corev1.SELinuxOptions{Type: kind} }))
	}
	volume := func(s corev1.VolumeSource) *corev1.Pod { return Pod(Volume("v", s, nil)) }
	return map[string][2]*corev1.Pod{
		"privileged":               plain(Security(func(sc *corev1.SecurityContext) { sc.Privileged = new(true) })),
		"hostNetwork":              plain(spec(func(s *corev1.PodSpec) { s.HostNetwork = true })),
		"hostPID":                  plain(spec(func(s *corev1.PodSpec) { s.HostPID = true })),
		"hostIPC":                  plain(spec(func(s *corev1.PodSpec) { s.HostIPC = true })),
		"hostPorts":                plain(Container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{HostPort: 80}} })),
		"allowPrivilegeEscalation": plain(Security(func(sc *corev1.SecurityContext) { sc.AllowPrivilegeEscalation = new(false) })),
		"readOnlyRootFilesystem":   plain(Security(func(sc *corev1.SecurityContext) { sc.ReadOnlyRootFilesystem = new(true) })),
		"addedCapabilities": plain(Security(func(sc *corev1.SecurityContext) {
			sc.Capabilities = &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}}
		})),
		"droppedCapabilities": plain(Security(func(sc *corev1.SecurityContext) {
			sc.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
		})),
		"volumes":   plain(Volume("v", corev1.VolumeSource{}, nil)),
		"hostPaths": {volume(HostPath("/a")), volume(HostPath("/b"))},
		"flexVolumeDrivers": {
			volume(corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: "a"}}),
			volume(corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: "b"}}),
		},
		"csiDrivers": {
			volume(corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "a"}}),
			volume(corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "b"}}),
		},
		"sysctls": plain(PodSecurity(func(sc *corev1.PodSecurityContext) {
			sc.Sysctls = []corev1.Sysctl{{Name: "kernel.msgmax", Value: "1"}}
		})),
		"procMount":          plain(Security(func(sc *corev1.SecurityContext) { sc.ProcMount = new(corev1.UnmaskedProcMount) })),
		"runtimeClassName":   plain(spec(func(s *corev1.PodSpec) { s.RuntimeClassName = new("gvisor") })),
		"seLinuxOptions":     {seLinux("a"), seLinux("b")},
		"runAsUser":          plain(Security(func(sc *corev1.SecurityContext) { sc.RunAsUser = new(int64(1)) })),
		"runAsGroup":         plain(Security(func(sc *corev1.SecurityContext) { sc.RunAsGroup = new(int64(1)) })),
		"fsGroup":            plain(PodSecurity(func(sc *corev1.PodSecurityContext) { sc.FSGroup = new(int64(1)) })),
		"supplementalGroups": plain(PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SupplementalGroups = []int64{1} })),
		"seccomp":            plain(Annotate(corev1.SeccompPodAnnotationKey, "runtime/default")),
		"appArmor":           plain(Annotate(corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+"c", "unconfined")),
		"seccompProfile": {
			Pod(Annotate(corev1.SeccompPodAnnotationKey, "runtime/default")),
			Pod(PodSecurity(func(sc *corev1.PodSecurityContext) {
				sc.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
			})),
		},
		"appArmorProfile": plain(Security(func(sc *corev1.SecurityContext) {
			sc.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
		})),
		"hostProcess": plain(Security(func(sc *corev1.SecurityContext) {
			sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{HostProcess: new(true)}
		})),
		"runAsUserName": plain(Security(func(sc *corev1.SecurityContext) {
			sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{RunAsUserName: new("ContainerUser")}
		})),
		"hostUsers":             plain(spec(func(s *corev1.PodSpec) { s.HostUsers = new(false) })),
		"shareProcessNamespace": plain(spec(func(s *corev1.PodSpec) { s.ShareProcessNamespace = new(true) })),
		"supplementalGroupsPolicy": plain(PodSecurity(func(sc *corev1.PodSecurityContext) {
			sc.SupplementalGroupsPolicy = new(corev1.SupplementalGroupsPolicyStrict)
		})),
		"mountPropagation": {
			Pod(Volume("v", corev1.VolumeSource{}, &corev1.VolumeMount{})),
			Pod(Volume("v", corev1.VolumeSource{}, &corev1.VolumeMount{MountPropagation: new(corev1.MountPropagationHostToContainer)})),
		},
		"probeHosts": plain(Container(func(c *corev1.Container) {
			c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: "10.0.0.1"}}}
		})),
		"secretEnv": plain(Container(func(c *corev1.Container) {
			c.EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}
		})),
		"runtimeUser": plain(func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", User: &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{}}}}
		}),
		"ephemeralContainers": plain(Ephemeral("e")),
	}
}
