package fleet

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// template makes up a pod over the whole space that a policy can govern.
func (f *fleet) template() corev1.PodTemplateSpec {
	if f.alike {
		return f.hardened()
	}
	pod := f.server.pod(f.Rand)
	pod.Spec.EphemeralContainers = nil // no template has any
	f.server.makeValid(&pod.Spec, pod.Annotations)
	t := corev1.PodTemplateSpec{Spec: pod.Spec}
	t.Annotations = pod.Annotations
	return t
}

// hardened makes up a pod of the careful kind: one container that gives up
// some of what it could have, and often a seccomp profile for the whole pod.
func (f *fleet) hardened() corev1.PodTemplateSpec {
	t := corev1.PodTemplateSpec{}
	t.Spec.ServiceAccountName = podtest.Pick(f.Rand, "", "robot")
	sc := &corev1.SecurityContext{
		RunAsUser:                podtest.Maybe(f.Rand, int64(1000), 1001),
		RunAsGroup:               podtest.Maybe(f.Rand, int64(1000)),
		RunAsNonRoot:             podtest.Maybe(f.Rand, true),
		AllowPrivilegeEscalation: podtest.Often(f.Rand, false),
		ReadOnlyRootFilesystem:   podtest.Often(f.Rand, true),
	}
	if f.IntN(2) == 0 {
		sc.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
	}
	t.Spec.SecurityContext = &corev1.PodSecurityContext{
		FSGroup:            podtest.Maybe(f.Rand, int64(1000)),
		SupplementalGroups: podtest.Pick(f.Rand, nil, []int64{1000}),
		SELinuxOptions:     podtest.Maybe(f.Rand, corev1.SELinuxOptions{Type: "spc_t"}),
	}
	container := corev1.Container{Name: "c", Image: "example.com/c", SecurityContext: sc}
	switch f.IntN(4) {
	case 0, 1:
		t.Spec.SecurityContext.SeccompProfile = podtest.Seccomp("runtime/default")
	case 2:
		sc.SeccompProfile = podtest.Seccomp("runtime/default")
	}
	t.Spec.Containers = []corev1.Container{container}
	return t
}

// makeValidOld removes what Kubernetes 1.24 refuses and what it has no policy for.
func makeValidOld(s *corev1.PodSpec, annotations map[string]string) {
	if s.HostPID {
		s.ShareProcessNamespace = nil
	}
	for i := range s.Volumes {
		if s.Volumes[i].Image != nil {
			s.Volumes[i].VolumeSource = corev1.VolumeSource{}
		}
	}
	if sc := s.SecurityContext; sc != nil {
		sc.WindowsOptions = nil
		sc.Sysctls = validSysctls(s, sc.Sysctls)
		dropContradiction(annotations, corev1.SeccompPodAnnotationKey, sc.SeccompProfile)
	}
	for i := range s.InitContainers {
		s.InitContainers[i].LivenessProbe = nil
	}
	used := map[string]bool{}
	for c := range podtest.Containers(s) {
		c.Ports = validPorts(c.Ports, s.HostNetwork, used)
		for i := range c.VolumeMounts {
			c.VolumeMounts[i].MountPropagation = nil // two-way needs privileges
		}
		sc := c.SecurityContext
		if sc == nil {
			continue
		}
		sc.WindowsOptions = nil
		dropContradiction(annotations, corev1.SeccompContainerAnnotationKeyPrefix+c.Name, sc.SeccompProfile)
		if needsEscalation(sc) && sc.AllowPrivilegeEscalation != nil {
			sc.AllowPrivilegeEscalation = new(true)
		}
	}
}

// needsEscalation: validation refuses allowPrivilegeEscalation=false here
// (pkg/apis/core/validation/validation.go:6164, v1.24.17).
func needsEscalation(sc *corev1.SecurityContext) bool {
	if sc.Privileged != nil && *sc.Privileged {
		return true
	}
	return sc.Capabilities != nil && slices.Contains(sc.Capabilities.Add, "CAP_SYS_ADMIN")
}

// validSysctls: each once, with dots, and none of a namespace that is the host's,
// which a pod cannot tune.
func validSysctls(s *corev1.PodSpec, sysctls []corev1.Sysctl) []corev1.Sysctl {
	seen := map[string]bool{}
	return slices.DeleteFunc(sysctls, func(sysctl corev1.Sysctl) bool {
		again := seen[sysctl.Name]
		seen[sysctl.Name] = true
		return again || strings.Contains(sysctl.Name, "/") ||
			s.HostNetwork && strings.HasPrefix(sysctl.Name, "net.") || s.HostIPC && strings.HasPrefix(sysctl.Name, "kernel.")
	})
}

// validPorts: two containers cannot share a host port, and on the host's network
// it is the container's.
func validPorts(ports []corev1.ContainerPort, hostNetwork bool, used map[string]bool) []corev1.ContainerPort {
	return slices.DeleteFunc(ports, func(p corev1.ContainerPort) bool {
		if hostNetwork && p.HostPort != 0 && p.HostPort != p.ContainerPort {
			return true
		}
		host := p.HostPort
		if hostNetwork {
			host = p.ContainerPort
		}
		key := fmt.Sprint(host, p.Protocol)
		again := host > 0 && used[key]
		used[key] = true
		return again
	})
}

// dropContradiction removes an annotation that says something else than the field.
func dropContradiction(annotations map[string]string, key string, field *corev1.SeccompProfile) {
	if value, ok := annotations[key]; ok && field != nil && !reflect.DeepEqual(field, podtest.Seccomp(value)) {
		delete(annotations, key)
	}
}

// dropLostMounts removes mounts of volumes that are gone.
func dropLostMounts(s *corev1.PodSpec) {
	volumes := map[string]bool{}
	for _, v := range s.Volumes {
		volumes[v.Name] = true
	}
	for c := range podtest.Containers(s) {
		c.VolumeMounts = slices.DeleteFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return !volumes[m.Name] })
	}
}
