package main

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// step makes a pod ask for a little more or less, and reports whether it could.
type step struct {
	name string
	take func(*corev1.Pod) bool
}

// steps are most kinds of lines that permits have: what a pod asks for, what its first
// container asks for, and whose it is.
var steps = []step{
	{"hostNetwork", func(p *corev1.Pod) bool { return set(&p.Spec.HostNetwork, true) }},
	{"hostPID", func(p *corev1.Pod) bool { return set(&p.Spec.HostPID, true) }},
	{"hostIPC", func(p *corev1.Pod) bool { return set(&p.Spec.HostIPC, true) }},
	{"user namespace", func(p *corev1.Pod) bool { return set(&p.Spec.HostUsers, new(false)) }},
	{"shareProcessNamespace", func(p *corev1.Pod) bool { return set(&p.Spec.ShareProcessNamespace, new(true)) }},
	{"runtimeClass", func(p *corev1.Pod) bool { return set(&p.Spec.RuntimeClassName, new("gvisor")) }},
	{"sysctl", func(p *corev1.Pod) bool {
		sc := podContext(p)
		sc.Sysctls = append(sc.Sysctls, corev1.Sysctl{Name: "kernel.shm_rmid_forced", Value: "1"})
		return true
	}},
	{"fsGroup", func(p *corev1.Pod) bool { return set(&podContext(p).FSGroup, new(int64(4242))) }},
	{"supplementalGroup", func(p *corev1.Pod) bool {
		sc := podContext(p)
		sc.SupplementalGroups = append(sc.SupplementalGroups, 4242)
		return true
	}},
	{"groups of the image", func(p *corev1.Pod) bool {
		return set(&podContext(p).SupplementalGroupsPolicy, new(corev1.SupplementalGroupsPolicyStrict))
	}},
	{"SELinux", func(p *corev1.Pod) bool {
		return set(&podContext(p).SELinuxOptions, &corev1.SELinuxOptions{Type: "spc t", Level: "s0\n[*]"})
	}},
	{"seccomp of the pod", func(p *corev1.Pod) bool {
		return set(&podContext(p).SeccompProfile, &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined})
	}},
	{"hostPath", func(p *corev1.Pod) bool { return mount(p, "/etc", true) }},
	{"writable hostPath", func(p *corev1.Pod) bool { return mount(p, "/var/lib", false) }},
	{"hostPath below", func(p *corev1.Pod) bool { return changePath(p, func(s string) string { return s + "/below" }) }},
	{"hostPath beside", func(p *corev1.Pod) bool { return changePath(p, func(s string) string { return s + "-secret" }) }},
	{"hostPath with a line", func(p *corev1.Pod) bool { return mount(p, "/a\n\n[*]\nprivileged", true) }},
	{"read-only mounts", func(p *corev1.Pod) bool {
		changed := false
		for i := range first(p).VolumeMounts {
			changed = set(&first(p).VolumeMounts[i].ReadOnly, true) || changed
		}
		return changed
	}},
	{"volume", func(p *corev1.Pod) bool {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "step", VolumeSource: corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{Server: "nfs", Path: "/"}}})
		return true
	}},
	{"no volumes", func(p *corev1.Pod) bool {
		none := len(p.Spec.Volumes) == 0
		p.Spec.Volumes = nil
		for _, list := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
			for i := range list {
				list[i].VolumeMounts, list[i].VolumeDevices = nil, nil
			}
		}
		return !none
	}},
	{"privileged", func(p *corev1.Pod) bool {
		firstContext(p).AllowPrivilegeEscalation = nil
		return set(&firstContext(p).Privileged, new(true))
	}},
	{"escalation", func(p *corev1.Pod) bool { return set(&firstContext(p).AllowPrivilegeEscalation, nil) }},
	{"no escalation", func(p *corev1.Pod) bool { return set(&firstContext(p).AllowPrivilegeEscalation, new(false)) }},
	{"read-only root", func(p *corev1.Pod) bool { return set(&firstContext(p).ReadOnlyRootFilesystem, new(true)) }},
	{"writable root", func(p *corev1.Pod) bool { return set(&firstContext(p).ReadOnlyRootFilesystem, nil) }},
	{"capability", func(p *corev1.Pod) bool {
		c := capabilities(p)
		c.Add = append(slices.Clone(c.Add), "CAP_SYS_TIME")
		return true
	}},
	{"drop ALL", func(p *corev1.Pod) bool { return set(&capabilities(p).Drop, []corev1.Capability{"all"}) }},
	{"drop nothing", func(p *corev1.Pod) bool { return set(&capabilities(p).Drop, nil) }},
	{"user", func(p *corev1.Pod) bool { return set(&firstContext(p).RunAsUser, new(int64(4242))) }},
	{"root user", func(p *corev1.Pod) bool {
		firstContext(p).RunAsNonRoot = new(false)
		return set(&firstContext(p).RunAsUser, new(int64(0)))
	}},
	{"group", func(p *corev1.Pod) bool { return set(&firstContext(p).RunAsGroup, new(int64(4242))) }},
	{"hostPort", func(p *corev1.Pod) bool {
		first(p).Ports = append(first(p).Ports, corev1.ContainerPort{Name: "step", ContainerPort: 4242, HostPort: 4242, Protocol: corev1.ProtocolUDP})
		return true
	}},
	{"seccomp profile", func(p *corev1.Pod) bool {
		return set(&firstContext(p).SeccompProfile, &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: new("step.json")})
	}},
	{"AppArmor", func(p *corev1.Pod) bool {
		return set(&firstContext(p).AppArmorProfile, &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined})
	}},
	{"probe host", func(p *corev1.Pod) bool {
		return set(&first(p).Lifecycle, &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Host: "10.0.0.1", Path: "/"}}})
	}},
	{"no other containers", func(p *corev1.Pod) bool {
		more := len(p.Spec.Containers)+len(p.Spec.InitContainers) > 1
		p.Spec.Containers, p.Spec.InitContainers = p.Spec.Containers[:1], nil
		return more
	}},
	{"unknown account", func(p *corev1.Pod) bool { return set(&p.Spec.ServiceAccountName, "nobody") }},
}

// set sets a value.
func set[T any](to *T, value T) bool {
	*to = value
	return true
}

func first(p *corev1.Pod) *corev1.Container { return &p.Spec.Containers[0] }

func podContext(p *corev1.Pod) *corev1.PodSecurityContext {
	if p.Spec.SecurityContext == nil {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	return p.Spec.SecurityContext
}

func firstContext(p *corev1.Pod) *corev1.SecurityContext {
	if first(p).SecurityContext == nil {
		first(p).SecurityContext = &corev1.SecurityContext{}
	}
	return first(p).SecurityContext
}

func capabilities(p *corev1.Pod) *corev1.Capabilities {
	if firstContext(p).Capabilities == nil {
		firstContext(p).Capabilities = &corev1.Capabilities{}
	}
	return firstContext(p).Capabilities
}

// mount adds a path of the host to the first container.
func mount(p *corev1.Pod, path string, readOnly bool) bool {
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "step", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}}})
	first(p).VolumeMounts = append(first(p).VolumeMounts, corev1.VolumeMount{Name: "step", MountPath: "/step", ReadOnly: readOnly})
	return true
}

func changePath(p *corev1.Pod, change func(string) string) bool {
	for _, v := range p.Spec.Volumes {
		if v.HostPath != nil {
			v.HostPath.Path = change(v.HostPath.Path)
			return true
		}
	}
	return false
}
