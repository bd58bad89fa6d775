// Package podtest creates pods for tests: a minimal valid pod with tweaks for the
// case at hand, random pods for tests of laws, and pairs of pods that differ in one
// attribute of a profile.
package podtest

import (
	"iter"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Pod returns a minimal valid pod with one container "c", tweaked.
func Pod(tweaks ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "x"}}},
	}
	for _, tweak := range tweaks {
		tweak(pod)
	}
	return pod
}

// Least returns a pod of Linux that asks for as little as a pod can, tweaked.
func Least(tweaks ...func(*corev1.Pod)) *corev1.Pod {
	pod := Pod(PodSecurity(func(sc *corev1.PodSecurityContext) {
		sc.RunAsUser, sc.RunAsGroup = new(int64(1000)), new(int64(1000))
		sc.SupplementalGroupsPolicy = new(corev1.SupplementalGroupsPolicyStrict)
		sc.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}), Security(Tight))
	pod.Spec.HostUsers, pod.Spec.RuntimeClassName = new(false), new("gvisor")
	for _, tweak := range tweaks {
		tweak(pod)
	}
	return pod
}

// Tight makes a security context that asks for as little as a container can.
func Tight(sc *corev1.SecurityContext) {
	sc.AllowPrivilegeEscalation, sc.ReadOnlyRootFilesystem = new(false), new(true)
	sc.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
}

// Container tweaks the first container.
func Container(tweak func(*corev1.Container)) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { tweak(&pod.Spec.Containers[0]) }
}

// Security tweaks the security context of the first container.
func Security(tweak func(*corev1.SecurityContext)) func(*corev1.Pod) {
	return Container(Context(tweak))
}

// Context tweaks the security context of a container.
func Context(tweak func(*corev1.SecurityContext)) func(*corev1.Container) {
	return func(c *corev1.Container) {
		if c.SecurityContext == nil {
			c.SecurityContext = &corev1.SecurityContext{}
		}
		tweak(c.SecurityContext)
	}
}

// PodSecurity tweaks the security context of the pod.
func PodSecurity(tweak func(*corev1.PodSecurityContext)) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		if pod.Spec.SecurityContext == nil {
			pod.Spec.SecurityContext = &corev1.PodSecurityContext{}
		}
		tweak(pod.Spec.SecurityContext)
	}
}

// Init adds an init container.
func Init(name string, tweaks ...func(*corev1.Container)) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, container(name, tweaks))
	}
}

// Sidecar adds a regular container.
func Sidecar(name string, tweaks ...func(*corev1.Container)) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers, container(name, tweaks))
	}
}

// Ephemeral adds a debug container.
func Ephemeral(name string, tweaks ...func(*corev1.Container)) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon(container(name, tweaks)),
		})
	}
}

func container(name string, tweaks []func(*corev1.Container)) corev1.Container {
	c := corev1.Container{Name: name, Image: "x"}
	for _, tweak := range tweaks {
		tweak(&c)
	}
	return c
}

// Containers yields the init and regular containers, to be changed.
func Containers(spec *corev1.PodSpec) iter.Seq[*corev1.Container] {
	return func(yield func(*corev1.Container) bool) {
		for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// Annotate sets an annotation.
func Annotate(key, value string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		if pod.Annotations == nil {
			pod.Annotations = map[string]string{}
		}
		pod.Annotations[key] = value
	}
}

// Volume adds a volume and mounts it in the first container; a nil mount leaves
// it unmounted.
func Volume(name string, source corev1.VolumeSource, mount *corev1.VolumeMount) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
		if mount != nil {
			Mount(name, *mount)(&pod.Spec.Containers[0])
		}
	}
}

// Mount mounts the named volume.
func Mount(name string, mount corev1.VolumeMount) func(*corev1.Container) {
	return func(c *corev1.Container) {
		mount.Name = name
		if mount.MountPath == "" {
			mount.MountPath = "/mnt/" + name
		}
		c.VolumeMounts = append(c.VolumeMounts, mount)
	}
}

// HostPath is the source of a hostPath volume.
func HostPath(path string) corev1.VolumeSource {
	return corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}}
}

// Seccomp is the seccompProfile field that says the same as an annotation's value.
func Seccomp(annotation string) *corev1.SeccompProfile {
	file, local := strings.CutPrefix(annotation, "localhost/")
	switch {
	case local:
		return &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: &file}
	case annotation == "unconfined":
		return &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
	default: // runtime/default, docker/default
		return &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
}

// Token is the source of the token volume that admission gives to a pod.
func Token() corev1.VolumeSource {
	return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: new(int64(3607))}},
		{ConfigMap: &corev1.ConfigMapProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
			Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
		}},
		{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
			Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"},
		}}}},
	}}}
}
