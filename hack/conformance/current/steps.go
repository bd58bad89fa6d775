package main

import (
	"math/rand/v2"
	"path"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// step changes a pod in one respect. It returns false if it does not apply.
type step struct {
	name string
	do   func(*rand.Rand, *corev1.Pod) bool
}

// The helpers make a step of a change of the pod, of its context, and of one of its
// containers.

func ofSpec(do func(*corev1.PodSpec)) func(*rand.Rand, *corev1.Pod) bool {
	return func(_ *rand.Rand, p *corev1.Pod) bool { do(&p.Spec); return true }
}

func ofPod(do func(*corev1.PodSecurityContext)) func(*rand.Rand, *corev1.Pod) bool {
	return func(_ *rand.Rand, p *corev1.Pod) bool { podtest.PodSecurity(do)(p); return true }
}

func ofContainer(do func(*rand.Rand, *corev1.Pod, *corev1.Container) bool) func(*rand.Rand, *corev1.Pod) bool {
	return func(r *rand.Rand, p *corev1.Pod) bool {
		all := slices.Collect(podtest.Containers(&p.Spec))
		return do(r, p, podtest.Pick(r, all...))
	}
}

func ofContext(do func(*corev1.SecurityContext)) func(*rand.Rand, *corev1.Pod) bool {
	return ofContainer(func(_ *rand.Rand, _ *corev1.Pod, c *corev1.Container) bool { podtest.Context(do)(c); return true })
}

func ofVolume(source corev1.VolumeSource, mount *corev1.VolumeMount) func(*rand.Rand, *corev1.Pod) bool {
	return func(_ *rand.Rand, p *corev1.Pod) bool {
		if mount != nil {
			m := *mount
			podtest.Volume("wider", source, &m)(p)
			return true
		}
		podtest.Volume("wider", source, nil)(p)
		return true
	}
}

// ofHostPath changes the path of a volume that the pod has.
func ofHostPath(change func(string) string) func(*rand.Rand, *corev1.Pod) bool {
	return func(r *rand.Rand, p *corev1.Pod) bool {
		for _, i := range r.Perm(len(p.Spec.Volumes)) {
			if h := p.Spec.Volumes[i].HostPath; h != nil {
				h.Path = change(h.Path)
				return true
			}
		}
		return false
	}
}

func debugContainer(do func(*corev1.SecurityContext)) func(*rand.Rand, *corev1.Pod) bool {
	return func(_ *rand.Rand, p *corev1.Pod) bool {
		if p.Spec.OS != nil && p.Spec.OS.Name == corev1.Windows {
			return false
		}
		// As tight as can be but for the change, with the identity of the first container.
		sc := &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
			Capabilities: drop("ALL"), SeccompProfile: podtest.Seccomp("runtime/default"),
			AppArmorProfile: &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault},
		}
		if first := p.Spec.Containers[0].SecurityContext; first != nil {
			sc.RunAsUser, sc.RunAsGroup, sc.RunAsNonRoot = first.RunAsUser, first.RunAsGroup, first.RunAsNonRoot
		}
		do(sc)
		p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debugger", Image: "busybox", SecurityContext: sc, TerminationMessagePolicy: corev1.TerminationMessageReadFile, ImagePullPolicy: corev1.PullAlways,
		}}}
		return true
	}
}

func drop(names ...corev1.Capability) *corev1.Capabilities { return &corev1.Capabilities{Drop: names} }

// add adds a capability to those that a container has.
func add(sc *corev1.SecurityContext, name corev1.Capability) {
	if sc.Capabilities == nil {
		sc.Capabilities = &corev1.Capabilities{}
	}
	sc.Capabilities.Add = append(sc.Capabilities.Add, name)
}

func hostPort(p corev1.ContainerPort) func(*rand.Rand, *corev1.Pod) bool {
	return ofContainer(func(_ *rand.Rand, pod *corev1.Pod, c *corev1.Container) bool {
		p := p
		if pod.Spec.HostNetwork {
			p.ContainerPort = p.HostPort
		}
		c.Ports = append(c.Ports, p)
		return true
	})
}

// mounted changes a mount of a container.
func mounted(change func(*corev1.VolumeMount) bool) func(*rand.Rand, *corev1.Pod) bool {
	return ofContainer(func(r *rand.Rand, _ *corev1.Pod, c *corev1.Container) bool {
		for _, i := range r.Perm(len(c.VolumeMounts)) {
			if change(&c.VolumeMounts[i]) {
				return true
			}
		}
		return false
	})
}

func probed(set func(*corev1.Container)) func(*rand.Rand, *corev1.Pod) bool {
	return ofContainer(func(_ *rand.Rand, p *corev1.Pod, c *corev1.Container) bool {
		if slices.ContainsFunc(p.Spec.InitContainers, func(i corev1.Container) bool { return i.Name == c.Name && i.RestartPolicy == nil }) {
			return false
		}
		set(c)
		return true
	})
}

func httpProbe(host string) corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: host, Port: intstr.FromInt32(80), Path: "/", Scheme: corev1.URISchemeHTTP}}
}

func tcpProbe(host string) corev1.ProbeHandler {
	return corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: host, Port: intstr.FromInt32(80)}}
}

const other = int64(4242)

var secret = corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "x"}}

// wider are steps that ask for one more privilege than most pods do. Whether one is
// more than an alternative permits is left to the Go model.
func wider() []step {
	unconfined := corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
	localhost := corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: new("wider\"x")}
	return []step{
		{"hostNetwork", ofSpec(func(s *corev1.PodSpec) { s.HostNetwork = true })},
		{"hostPID", ofSpec(func(s *corev1.PodSpec) { s.HostPID = true })},
		{"hostIPC", ofSpec(func(s *corev1.PodSpec) { s.HostIPC = true })},
		{"hostUsers unset", ofSpec(func(s *corev1.PodSpec) { s.HostUsers = nil })},
		{"hostUsers true", ofSpec(func(s *corev1.PodSpec) { s.HostUsers = new(true) })},
		{"shareProcessNamespace", ofSpec(func(s *corev1.PodSpec) { s.ShareProcessNamespace = new(true) })},
		{"runtimeClass another", ofSpec(func(s *corev1.PodSpec) { s.RuntimeClassName = new("wider") })},
		{"runtimeClass unset", ofSpec(func(s *corev1.PodSpec) { s.RuntimeClassName = nil })},
		{"sysctl safe", ofPod(func(sc *corev1.PodSecurityContext) {
			sc.Sysctls = append(sc.Sysctls, corev1.Sysctl{Name: "net.ipv4.tcp_rmem", Value: "1"})
		})},
		{"sysctl unsafe", ofPod(func(sc *corev1.PodSecurityContext) {
			sc.Sysctls = append(sc.Sysctls, corev1.Sysctl{Name: "vm.wider", Value: "1"})
		})},
		{"fsGroup another", ofPod(func(sc *corev1.PodSecurityContext) { sc.FSGroup = new(other) })},
		{"fsGroup root", ofPod(func(sc *corev1.PodSecurityContext) { sc.FSGroup = new(int64(0)) })},
		{"supplementalGroup another", ofPod(func(sc *corev1.PodSecurityContext) { sc.SupplementalGroups = append(sc.SupplementalGroups, other) })},
		{"supplementalGroupsPolicy Merge", ofPod(func(sc *corev1.PodSecurityContext) {
			sc.SupplementalGroupsPolicy = new(corev1.SupplementalGroupsPolicyMerge)
		})},
		{"supplementalGroupsPolicy unset", ofPod(func(sc *corev1.PodSecurityContext) { sc.SupplementalGroupsPolicy = nil })},
		{"pod seccomp Unconfined", ofPod(func(sc *corev1.PodSecurityContext) { sc.SeccompProfile = podtest.Seccomp("unconfined") })},
		{"pod seccomp Localhost", ofPod(func(sc *corev1.PodSecurityContext) { sc.SeccompProfile = podtest.Seccomp("localhost/wider") })},
		{"pod SELinux", ofPod(func(sc *corev1.PodSecurityContext) { sc.SELinuxOptions = &corev1.SELinuxOptions{Type: "wider t"} })},
		{"pod AppArmor Unconfined", ofPod(func(sc *corev1.PodSecurityContext) { sc.AppArmorProfile = &unconfined })},
		{"volume of another kind", func(r *rand.Rand, p *corev1.Pod) bool {
			return ofVolume(podtest.Pick(r, []corev1.VolumeSource{
				{EmptyDir: &corev1.EmptyDirVolumeSource{}},
				{},
				secret,
				{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "x"}}},
				{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "x"}},
				{NFS: &corev1.NFSVolumeSource{Server: "x", Path: "/x"}},
				{FC: &corev1.FCVolumeSource{TargetWWNs: []string{"50060e801049cfd1"}, Lun: new(int32(0))}},
				{Image: &corev1.ImageVolumeSource{Reference: "example.com/x"}},
				{PhotonPersistentDisk: &corev1.PhotonPersistentDiskVolumeSource{PdID: "x"}},
				{Projected: &corev1.ProjectedVolumeSource{}},
			}...), nil)(r, p)
		}},
		{"projected token of another audience", ofVolume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", Audience: "vault", ExpirationSeconds: new(int64(3600))}},
		}}}, &corev1.VolumeMount{})},
		{"projected secret", ofVolume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "x"}}},
		}}}, nil)},
		{"service account token", ofVolume(podtest.Token(), nil)},
		{"CSI driver", ofVolume(corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "wider.example.com"}}, nil)},
		{"flexVolume driver", ofVolume(corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: "wider/x"}}, nil)},
		{"hostPath unmounted", ofVolume(podtest.HostPath("/wider"), nil)},
		{"hostPath with a line feed", ofVolume(podtest.HostPath("/wider\n\n[*]\nhostPID"), nil)},
		{"hostPath mounted read-only", ofVolume(podtest.HostPath("/wider"), &corev1.VolumeMount{ReadOnly: true})},
		{"hostPath mounted writable", ofVolume(podtest.HostPath("/wider"), &corev1.VolumeMount{})},
		{"hostPath of a sibling", ofHostPath(func(p string) string { return p + "s" })},
		{"hostPath of the parent", ofHostPath(path.Dir)},
		{"hostPath writable", mounted(func(m *corev1.VolumeMount) bool {
			was := m.ReadOnly
			m.ReadOnly, m.RecursiveReadOnly = false, nil
			return was
		})},
		{"mountPropagation HostToContainer", mounted(func(m *corev1.VolumeMount) bool {
			m.MountPropagation = new(corev1.MountPropagationHostToContainer)
			return true
		})},
		{"mountPropagation Bidirectional", mounted(func(m *corev1.VolumeMount) bool {
			m.MountPropagation = new(corev1.MountPropagationBidirectional)
			return true
		})},
		{"privileged", ofContext(func(sc *corev1.SecurityContext) { sc.Privileged = new(true) })},
		{"privileged init container", func(_ *rand.Rand, p *corev1.Pod) bool {
			c := *p.Spec.Containers[0].DeepCopy()
			c.Name, c.Ports, c.LivenessProbe, c.ReadinessProbe, c.StartupProbe, c.Lifecycle = "wider", nil, nil, nil, nil, nil
			podtest.Context(func(sc *corev1.SecurityContext) { sc.Privileged, sc.AllowPrivilegeEscalation = new(true), nil })(&c)
			p.Spec.InitContainers = append(p.Spec.InitContainers, c)
			return true
		}},
		{"allowPrivilegeEscalation unset", ofContext(func(sc *corev1.SecurityContext) { sc.AllowPrivilegeEscalation = nil })},
		{"allowPrivilegeEscalation true", ofContext(func(sc *corev1.SecurityContext) { sc.AllowPrivilegeEscalation = new(true) })},
		{"root file system unset", ofContext(func(sc *corev1.SecurityContext) { sc.ReadOnlyRootFilesystem = nil })},
		{"root file system writable", ofContext(func(sc *corev1.SecurityContext) { sc.ReadOnlyRootFilesystem = new(false) })},
		{"capability added", ofContext(func(sc *corev1.SecurityContext) { add(sc, "SYS_TIME") })},
		{"capability with its prefix", ofContext(func(sc *corev1.SecurityContext) { add(sc, "CAP_SYS_MODULE") })},
		{"capability in lower case", ofContext(func(sc *corev1.SecurityContext) { add(sc, "cap_wake_alarm") })},
		{"capability ALL", ofContext(func(sc *corev1.SecurityContext) { add(sc, "ALL") })},
		{"capabilities not dropped", ofContext(func(sc *corev1.SecurityContext) { sc.Capabilities = nil })},
		{"capabilities dropped by a wrong name", ofContext(func(sc *corev1.SecurityContext) { sc.Capabilities = drop("CAP_ALL") })},
		{"capabilities dropped but one", ofContext(func(sc *corev1.SecurityContext) {
			sc.Capabilities = drop("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "fowner", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT")
		})},
		{"hostPort another", hostPort(corev1.ContainerPort{ContainerPort: 80, HostPort: 4242, Protocol: corev1.ProtocolTCP})},
		{"hostPort by UDP", hostPort(corev1.ContainerPort{ContainerPort: 81, HostPort: 8443, Protocol: corev1.ProtocolUDP})},
		{"hostPort by SCTP", hostPort(corev1.ContainerPort{ContainerPort: 81, HostPort: 8443, Protocol: corev1.ProtocolSCTP})},
		{"hostPort on an address", hostPort(corev1.ContainerPort{ContainerPort: 80, HostPort: 4243, HostIP: "10.0.0.1", Protocol: corev1.ProtocolTCP})},
		{"hostPort on every address", ofContainer(func(_ *rand.Rand, _ *corev1.Pod, c *corev1.Container) bool {
			for i := range c.Ports {
				if c.Ports[i].HostIP != "" {
					c.Ports[i].HostIP = ""
					return true
				}
			}
			return false
		})},
		{"runAsUser another", ofContext(func(sc *corev1.SecurityContext) { sc.RunAsUser = new(other) })},
		{"runAsUser root", ofContext(func(sc *corev1.SecurityContext) { sc.RunAsUser, sc.RunAsNonRoot = new(int64(0)), nil })},
		{"image user", func(_ *rand.Rand, p *corev1.Pod) bool {
			return everywhere(p, func(user, _ **int64, nonRoot **bool) { *user, *nonRoot = nil, new(true) })
		}},
		{"image user root", func(_ *rand.Rand, p *corev1.Pod) bool {
			return everywhere(p, func(user, _ **int64, nonRoot **bool) { *user, *nonRoot = nil, nil })
		}},
		{"runAsGroup another", ofContext(func(sc *corev1.SecurityContext) { sc.RunAsGroup = new(other) })},
		{"runAsGroup root", ofContext(func(sc *corev1.SecurityContext) { sc.RunAsGroup = new(int64(0)) })},
		{"image group", func(_ *rand.Rand, p *corev1.Pod) bool {
			return everywhere(p, func(_, group **int64, _ **bool) { *group = nil })
		}},
		{"seccomp unset", func(_ *rand.Rand, p *corev1.Pod) bool {
			podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SeccompProfile = nil })(p)
			for c := range podtest.Containers(&p.Spec) {
				podtest.Context(func(sc *corev1.SecurityContext) { sc.SeccompProfile = nil })(c)
			}
			return true
		}},
		{"seccomp Unconfined", ofContext(func(sc *corev1.SecurityContext) { sc.SeccompProfile = podtest.Seccomp("unconfined") })},
		{"seccomp Localhost", ofContext(func(sc *corev1.SecurityContext) { sc.SeccompProfile = podtest.Seccomp("localhost/wider\n") })},
		{"AppArmor Unconfined", appArmor(unconfined)},
		{"AppArmor Localhost", appArmor(localhost)},
		{"AppArmor by annotation", ofContainer(func(_ *rand.Rand, p *corev1.Pod, c *corev1.Container) bool {
			podtest.Context(func(sc *corev1.SecurityContext) { sc.AppArmorProfile = nil })(c)
			podtest.Annotate(corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name, "localhost/wider")(p)
			return true
		})},
		{"SELinux", ofContext(func(sc *corev1.SecurityContext) {
			sc.SELinuxOptions = &corev1.SELinuxOptions{User: "u role=wider", Level: `s0\`}
		})},
		{"procMount", ofContext(func(sc *corev1.SecurityContext) { sc.ProcMount = new(corev1.UnmaskedProcMount) })},
		{"windows hostProcess", func(_ *rand.Rand, p *corev1.Pod) bool {
			podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
				sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{HostProcess: new(true)}
			})(p)
			return p.Spec.HostNetwork
		}},
		{"windows user", ofContext(func(sc *corev1.SecurityContext) {
			sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{RunAsUserName: new(`WIDER\user`)}
		})},
		{"liveness probe", probed(func(c *corev1.Container) { c.LivenessProbe = &corev1.Probe{ProbeHandler: httpProbe("wider")} })},
		{"readiness probe", probed(func(c *corev1.Container) { c.ReadinessProbe = &corev1.Probe{ProbeHandler: tcpProbe("wider")} })},
		{"startup probe", probed(func(c *corev1.Container) { c.StartupProbe = &corev1.Probe{ProbeHandler: tcpProbe("wider\n")} })},
		{"hook after the start", probed(func(c *corev1.Container) {
			c.Lifecycle = &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{HTTPGet: httpProbe("wider").HTTPGet}}
		})},
		{"hook before the end", probed(func(c *corev1.Container) {
			c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{TCPSocket: tcpProbe("wider").TCPSocket}}
		})},
	}
}

// debugging are the steps that add a debug container to a pod that runs.
func debugging() []step {
	return []step{
		{"debug container, privileged", debugContainer(func(sc *corev1.SecurityContext) { sc.Privileged, sc.AllowPrivilegeEscalation = new(true), nil })},
		{"debug container, capability", debugContainer(func(sc *corev1.SecurityContext) { add(sc, "SYS_PTRACE") })},
		{"debug container, root", debugContainer(func(sc *corev1.SecurityContext) { sc.RunAsUser, sc.RunAsNonRoot = new(int64(0)), nil })},
		{"debug container, unconfined", debugContainer(func(sc *corev1.SecurityContext) { sc.SeccompProfile = podtest.Seccomp("unconfined") })},
		{"debug container, writable hostPath", func(r *rand.Rand, p *corev1.Pod) bool {
			for _, v := range p.Spec.Volumes {
				if v.HostPath != nil && debugContainer(func(*corev1.SecurityContext) {})(r, p) {
					e := &p.Spec.EphemeralContainers[0]
					e.VolumeMounts = []corev1.VolumeMount{{Name: v.Name, MountPath: "/wider"}}
					return true
				}
			}
			return false
		}},
	}
}

func appArmor(profile corev1.AppArmorProfile) func(*rand.Rand, *corev1.Pod) bool {
	return ofContainer(func(_ *rand.Rand, p *corev1.Pod, c *corev1.Container) bool {
		delete(p.Annotations, corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name)
		podtest.Context(func(sc *corev1.SecurityContext) { sc.AppArmorProfile = &profile })(c)
		return true
	})
}

// everywhere changes the identities of the pod and of all its containers.
func everywhere(p *corev1.Pod, change func(user, group **int64, nonRoot **bool)) bool {
	podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { change(&sc.RunAsUser, &sc.RunAsGroup, &sc.RunAsNonRoot) })(p)
	for c := range podtest.Containers(&p.Spec) {
		podtest.Context(func(sc *corev1.SecurityContext) { change(&sc.RunAsUser, &sc.RunAsGroup, &sc.RunAsNonRoot) })(c)
	}
	return true
}

// tighter are steps that ask for nothing that was not asked for before.
func tighter() []step {
	all := func(do func(*corev1.SecurityContext)) func(*rand.Rand, *corev1.Pod) bool {
		return func(_ *rand.Rand, p *corev1.Pod) bool {
			for c := range podtest.Containers(&p.Spec) {
				podtest.Context(do)(c)
			}
			return true
		}
	}
	mounts := func(do func(*corev1.VolumeMount)) func(*rand.Rand, *corev1.Pod) bool {
		return ofSpec(func(s *corev1.PodSpec) {
			for c := range podtest.Containers(s) {
				for i := range c.VolumeMounts {
					do(&c.VolumeMounts[i])
				}
			}
		})
	}
	return []step{
		{"no hostNetwork", ofSpec(func(s *corev1.PodSpec) { s.HostNetwork = false })},
		{"no hostPID", ofSpec(func(s *corev1.PodSpec) { s.HostPID = false })},
		{"no hostIPC", ofSpec(func(s *corev1.PodSpec) { s.HostIPC = false })},
		{"no hostUsers", ofSpec(func(s *corev1.PodSpec) { s.HostUsers = new(false) })},
		{"no shareProcessNamespace", ofSpec(func(s *corev1.PodSpec) { s.ShareProcessNamespace = nil })},
		{"no sysctls", ofPod(func(sc *corev1.PodSecurityContext) { sc.Sysctls = nil })},
		{"no fsGroup", ofPod(func(sc *corev1.PodSecurityContext) { sc.FSGroup = nil })},
		{"no supplementalGroups", ofPod(func(sc *corev1.PodSecurityContext) { sc.SupplementalGroups = nil })},
		{"strict groups", ofPod(func(sc *corev1.PodSecurityContext) {
			sc.SupplementalGroupsPolicy = new(corev1.SupplementalGroupsPolicyStrict)
		})},
		{"not privileged", all(func(sc *corev1.SecurityContext) { sc.Privileged = nil })},
		{"no escalation", all(func(sc *corev1.SecurityContext) { sc.AllowPrivilegeEscalation = new(false) })},
		{"root file system read-only", all(func(sc *corev1.SecurityContext) { sc.ReadOnlyRootFilesystem = new(true) })},
		{"no capabilities", all(func(sc *corev1.SecurityContext) { sc.Capabilities = drop("ALL") })},
		{"no procMount", all(func(sc *corev1.SecurityContext) { sc.ProcMount = nil })},
		{"not root", all(func(sc *corev1.SecurityContext) { sc.RunAsNonRoot = new(true) })},
		{"no hostProcess", func(_ *rand.Rand, p *corev1.Pod) bool {
			podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.WindowsOptions = nil })(p)
			for c := range podtest.Containers(&p.Spec) {
				podtest.Context(func(sc *corev1.SecurityContext) {
					if sc.WindowsOptions != nil {
						sc.WindowsOptions.HostProcess = nil
					}
				})(c)
			}
			// The name of the user stood instead of the image's.
			return p.Spec.OS == nil
		}},
		{"seccomp RuntimeDefault", func(r *rand.Rand, p *corev1.Pod) bool {
			podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SeccompProfile = nil })(p)
			return all(func(sc *corev1.SecurityContext) { sc.SeccompProfile = podtest.Seccomp("runtime/default") })(r, p)
		}},
		{"AppArmor RuntimeDefault", func(r *rand.Rand, p *corev1.Pod) bool {
			for c := range podtest.Containers(&p.Spec) {
				delete(p.Annotations, corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name)
			}
			return all(func(sc *corev1.SecurityContext) {
				sc.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
			})(r, p)
		}},
		{"no SELinux options", func(r *rand.Rand, p *corev1.Pod) bool {
			podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SELinuxOptions = nil })(p)
			return all(func(sc *corev1.SecurityContext) { sc.SELinuxOptions = nil })(r, p)
		}},
		{"no volumes", ofSpec(func(s *corev1.PodSpec) {
			s.Volumes, s.AutomountServiceAccountToken = nil, new(false)
			for c := range podtest.Containers(s) {
				c.VolumeMounts = nil
			}
		})},
		{"hostPath of a child", ofHostPath(func(p string) string { return strings.TrimSuffix(p, "/") + "/child" })},
		{"mounts read-only", mounts(func(m *corev1.VolumeMount) { m.ReadOnly, m.MountPropagation = true, nil })},
		{"no mountPropagation", mounts(func(m *corev1.VolumeMount) { m.MountPropagation = nil })},
		{"no ports", ofSpec(func(s *corev1.PodSpec) {
			for c := range podtest.Containers(s) {
				c.Ports = nil
			}
		})},
		{"hostPort on one address", func(_ *rand.Rand, p *corev1.Pod) bool {
			changed := false
			for c := range podtest.Containers(&p.Spec) {
				for i := range c.Ports {
					if c.Ports[i].HostPort > 0 && c.Ports[i].HostIP == "" {
						c.Ports[i].HostIP, changed = "10.1.2.3", true
					}
				}
			}
			return changed
		}},
		{"no probes", ofSpec(func(s *corev1.PodSpec) {
			for c := range podtest.Containers(s) {
				c.LivenessProbe, c.ReadinessProbe, c.StartupProbe, c.Lifecycle = nil, nil, nil, nil
			}
		})},
		{"no init containers", ofSpec(func(s *corev1.PodSpec) { s.InitContainers = nil })},
		{"own user instead of the image's", func(_ *rand.Rand, p *corev1.Pod) bool {
			changed := false
			for c := range podtest.Containers(&p.Spec) {
				podtest.Context(func(sc *corev1.SecurityContext) {
					if sc.RunAsUser == nil && (p.Spec.SecurityContext == nil || p.Spec.SecurityContext.RunAsUser == nil) && p.Spec.OS == nil {
						sc.RunAsUser, changed = new(other), true
					}
				})(c)
			}
			return changed
		}},
		{"nothing", func(*rand.Rand, *corev1.Pod) bool { return true }},
	}
}
