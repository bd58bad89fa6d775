package podtest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

var seed = flag.Uint64("seed", 0, "seed of random tests; 0 takes a new one each time")

// Rand returns a source of random numbers. A failing test prints its seed.
func Rand(t testing.TB) *rand.Rand {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64() //nolint:gosec // tests need no secrets
	}
	t.Logf("random seed: run again with -seed=%d", s)
	return rand.New(rand.NewPCG(s, 0)) //nolint:gosec // tests need no secrets
}

// Random returns a random pod. Each field that matters for privileges is drawn
// from a few values, so that pods have values in common.
func Random(r *rand.Rand) *corev1.Pod {
	pod := Pod()
	spec := &pod.Spec
	pod.Name = fmt.Sprintf("p%d", r.IntN(5))
	spec.HostNetwork, spec.HostPID, spec.HostIPC = chance(r, 6), chance(r, 6), chance(r, 6)
	spec.HostUsers, spec.ShareProcessNamespace = maybeBool(r), maybeBool(r)
	spec.RuntimeClassName = maybe(r, "gvisor", "kata")
	spec.Containers = nil
	for i := range 1 + r.IntN(3) {
		spec.Containers = append(spec.Containers, randomContainer(r, fmt.Sprintf("c%d", i)))
	}
	for i := range r.IntN(2) {
		spec.InitContainers = append(spec.InitContainers, randomContainer(r, fmt.Sprintf("i%d", i)))
	}
	for i := range r.IntN(2) {
		Ephemeral(fmt.Sprintf("e%d", i), func(c *corev1.Container) { *c = randomContainer(r, c.Name) })(pod)
	}
	if chance(r, 2) {
		spec.SecurityContext = &corev1.PodSecurityContext{
			RunAsUser: maybeID(r), RunAsGroup: maybeID(r), RunAsNonRoot: maybeBool(r), FSGroup: maybeID(r),
			SELinuxOptions: randomSELinux(r), SeccompProfile: randomSeccomp(r), AppArmorProfile: randomAppArmor(r),
			SupplementalGroupsPolicy: maybe(r, corev1.SupplementalGroupsPolicyMerge, corev1.SupplementalGroupsPolicyStrict),
			WindowsOptions:           randomWindows(r),
		}
		for range r.IntN(3) {
			spec.SecurityContext.SupplementalGroups = append(spec.SecurityContext.SupplementalGroups, *pick(r, ids))
		}
		for range r.IntN(3) {
			spec.SecurityContext.Sysctls = append(spec.SecurityContext.Sysctls, corev1.Sysctl{Name: *pick(r, sysctls), Value: "1"})
		}
	}
	randomAnnotations(r, pod)
	for i := range r.IntN(4) {
		randomVolume(r, pod, fmt.Sprintf("v%d", i))
	}
	return pod
}

var (
	ids          = []int64{0, 1, 2, 3, 1000, 65534}
	sysctls      = []string{"kernel.shm_rmid_forced", "net.core.somaxconn", "net.ipv4.tcp_syncookies", "net/ipv4/tcp_syncookies", "kernel.msgmax"}
	capabilities = []corev1.Capability{"ALL", "all", "NET_ADMIN", "CAP_NET_ADMIN", "NET_RAW", "KILL", "SYS_ADMIN"}
	profiles     = []string{"runtime/default", "docker/default", "unconfined", "localhost/a", "localhost/b"}
	paths        = []string{"/", "/var", "/var/", "/var/log", "/var/log/pods", "/variable", "/etc", "/etc//"}
	drivers      = []string{"example.com/a", "example.com/b"}
)

func randomContainer(r *rand.Rand, name string) corev1.Container {
	c := corev1.Container{Name: name, Image: "x"}
	for range r.IntN(3) {
		c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: 80, HostPort: *pick(r, []int32{0, 80, 81, 82, 443})})
	}
	if chance(r, 4) {
		c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: *pick(r, []string{"", "10.0.0.1"})}}}
	}
	if chance(r, 4) {
		c.EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}
	}
	if chance(r, 4) {
		return c
	}
	c.SecurityContext = &corev1.SecurityContext{
		Privileged: maybeBool(r), AllowPrivilegeEscalation: maybeBool(r), ReadOnlyRootFilesystem: maybeBool(r),
		RunAsUser: maybeID(r), RunAsGroup: maybeID(r), RunAsNonRoot: maybeBool(r),
		ProcMount:      maybe(r, corev1.DefaultProcMount, corev1.UnmaskedProcMount),
		SELinuxOptions: randomSELinux(r), SeccompProfile: randomSeccomp(r), AppArmorProfile: randomAppArmor(r),
		WindowsOptions: randomWindows(r),
	}
	if chance(r, 2) {
		c.SecurityContext.Capabilities = &corev1.Capabilities{}
		for range r.IntN(3) {
			c.SecurityContext.Capabilities.Add = append(c.SecurityContext.Capabilities.Add, *pick(r, capabilities))
			c.SecurityContext.Capabilities.Drop = append(c.SecurityContext.Capabilities.Drop, *pick(r, capabilities))
		}
	}
	return c
}

func randomAnnotations(r *rand.Rand, pod *corev1.Pod) {
	if chance(r, 5) {
		Annotate(corev1.SeccompPodAnnotationKey, *pick(r, profiles))(pod)
	}
	for _, c := range pod.Spec.Containers {
		if chance(r, 6) {
			Annotate(corev1.SeccompContainerAnnotationKeyPrefix+c.Name, *pick(r, profiles))(pod)
		}
		if chance(r, 3) {
			Annotate(corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name, *pick(r, profiles))(pod)
		}
	}
}

func randomVolume(r *rand.Rand, pod *corev1.Pod, name string) {
	sources := []corev1.VolumeSource{
		{},
		{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		{ConfigMap: &corev1.ConfigMapVolumeSource{}},
		{Secret: &corev1.SecretVolumeSource{}},
		{CephFS: &corev1.CephFSVolumeSource{}},
		{Ephemeral: &corev1.EphemeralVolumeSource{}},
		{FlexVolume: &corev1.FlexVolumeSource{Driver: *pick(r, drivers)}},
		{CSI: &corev1.CSIVolumeSource{Driver: *pick(r, drivers)}},
		{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{}}}}},
		{Image: &corev1.ImageVolumeSource{}},
		Token(),
		HostPath(*pick(r, paths)),
		HostPath(*pick(r, paths)),
		HostPath(*pick(r, paths)),
	}
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: *pick(r, sources)})
	for i := range pod.Spec.Containers {
		if chance(r, 2) {
			Mount(name, corev1.VolumeMount{
				ReadOnly:         chance(r, 2),
				MountPropagation: maybe(r, corev1.MountPropagationBidirectional, corev1.MountPropagationNone),
			})(&pod.Spec.Containers[i])
		}
	}
}

func randomSELinux(r *rand.Rand) *corev1.SELinuxOptions {
	if !chance(r, 3) {
		return nil
	}
	return &corev1.SELinuxOptions{Type: *pick(r, []string{"", "container_t", "spc_t"}), Level: *pick(r, []string{"", "s0:c1,c2", "s0:c2,c1"})}
}

func randomSeccomp(r *rand.Rand) *corev1.SeccompProfile {
	if !chance(r, 3) {
		return nil
	}
	return pick(r, []corev1.SeccompProfile{
		{Type: corev1.SeccompProfileTypeRuntimeDefault},
		{Type: corev1.SeccompProfileTypeUnconfined},
		{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: new("a")},
	})
}

func randomAppArmor(r *rand.Rand) *corev1.AppArmorProfile {
	if !chance(r, 4) {
		return nil
	}
	return pick(r, []corev1.AppArmorProfile{
		{Type: corev1.AppArmorProfileTypeRuntimeDefault},
		{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: new("a")},
	})
}

func randomWindows(r *rand.Rand) *corev1.WindowsSecurityContextOptions {
	if !chance(r, 6) {
		return nil
	}
	return &corev1.WindowsSecurityContextOptions{HostProcess: maybeBool(r), RunAsUserName: maybe(r, "ContainerUser", "Administrator")}
}

// chance is true once in n times.
func chance(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

func pick[T any](r *rand.Rand, list []T) *T { return new(list[r.IntN(len(list))]) }

// maybe returns nil as often as one of the values.
func maybe[T any](r *rand.Rand, values ...T) *T {
	if chance(r, 2) {
		return nil
	}
	return pick(r, values)
}

func maybeBool(r *rand.Rand) *bool { return maybe(r, true, false) }

func maybeID(r *rand.Rand) *int64 { return maybe(r, ids...) }
