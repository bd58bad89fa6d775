package fleet

import (
	"maps"
	"math/rand/v2"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Current is Kubernetes of today, with every field that a line of package privilege is
// about.
var Current = Server{pod: randomCurrent, makeValid: makeValidCurrent}

// CurrentPod makes up a pod that a current server accepts, more or less, with ephemeral
// containers if it has any.
func CurrentPod(r *rand.Rand) *corev1.Pod {
	pod := randomCurrent(r)
	pod.TypeMeta = kind("v1", "Pod")
	makeValidCurrent(&pod.Spec, pod.Annotations)
	return pod
}

// Hostile are strings that a server takes where it takes any: they end lines, literals
// and blocks of whatever quotes them badly.
var Hostile = []string{
	"a\nb", "a\n\n[*]\nprivileged", "a\n# b", `a\nb`, `a\`, `\\`, `a\ b`, "a b", "a, b", "a; b (container c)", `"`, `'`, `"+"`, "`", `\u0041`,
	"é", "日本", "\u2028", "a\tb", "a\r", "\x00", "\x7f", "😀", "${x}", "{{x}}", "%s", "[x]", "#", "---", "]]>", "hostPath /", " x ", "\ufffd",
}

// randomCurrent adds to a random pod what podtest does not draw: the fields of current
// servers, and hostile strings.
func randomCurrent(r *rand.Rand) *corev1.Pod {
	pod := podtest.Random(r)
	spec := &pod.Spec
	if oneIn(r, 12) {
		spec.OS = &corev1.PodOS{Name: podtest.Pick(r, corev1.Windows, corev1.Windows, corev1.Linux)}
	}
	for i := range spec.Volumes {
		if v := &spec.Volumes[i]; v.HostPath != nil && oneIn(r, 3) {
			v.HostPath.Path = podtest.Pick(r, "/", "/x/", "") + podtest.Pick(r, Hostile...)
		} else if v.FlexVolume != nil && oneIn(r, 3) {
			v.FlexVolume.Driver = podtest.Pick(r, Hostile...)
		} else if v.Projected != nil && oneIn(r, 3) {
			v.Projected.Sources = append(v.Projected.Sources, newProjection(r))
		}
	}
	if oneIn(r, 3) {
		podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
			sc.SELinuxOptions = podtest.Maybe(r, hostileSELinux(r))
			sc.SeccompProfile = podtest.Maybe(r, hostileSeccomp(r))
			sc.AppArmorProfile = podtest.Maybe(r, hostileAppArmor(r))
			if oneIn(r, 8) {
				sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{RunAsUserName: new(podtest.Pick(r, "ContainerUser", `NT AUTHORITY\SYSTEM`, "a é")), HostProcess: podtest.Maybe(r, true, false)}
			}
		})(pod)
	}
	for i := range spec.InitContainers {
		if oneIn(r, 3) {
			spec.InitContainers[i].RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		}
	}
	for c := range podtest.Containers(spec) {
		randomContainer(r, pod, c)
	}
	for i := range spec.EphemeralContainers {
		c := (*corev1.Container)(&spec.EphemeralContainers[i].EphemeralContainerCommon)
		for _, v := range spec.Volumes {
			if oneIn(r, 2) {
				m := corev1.VolumeMount{MountPath: "/mnt/" + v.Name, ReadOnly: oneIn(r, 2), MountPropagation: podtest.Maybe(r, corev1.MountPropagationBidirectional)}
				podtest.Mount(v.Name, m)(c)
			}
		}
		randomContainer(r, pod, c)
	}
	return pod
}

func randomContainer(r *rand.Rand, pod *corev1.Pod, c *corev1.Container) {
	for i := range c.VolumeMounts {
		if oneIn(r, 6) {
			c.VolumeMounts[i].MountPropagation = new(corev1.MountPropagationHostToContainer)
		}
	}
	c.ReadinessProbe, c.StartupProbe = randomProbe(r), randomProbe(r)
	if p := randomProbe(r); p != nil {
		c.LivenessProbe = p
	}
	if oneIn(r, 6) {
		c.Lifecycle = &corev1.Lifecycle{PostStart: randomHook(r), PreStop: randomHook(r)}
	}
	if !oneIn(r, 4) {
		return
	}
	podtest.Context(func(sc *corev1.SecurityContext) {
		sc.SELinuxOptions = podtest.Maybe(r, hostileSELinux(r))
		if oneIn(r, 3) {
			sc.SeccompProfile = new(hostileSeccomp(r))
		}
		if oneIn(r, 3) {
			sc.AppArmorProfile = new(hostileAppArmor(r))
			delete(pod.Annotations, corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name)
		}
		sc.ProcMount = podtest.Maybe(r, corev1.UnmaskedProcMount)
		if oneIn(r, 6) {
			sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{RunAsUserName: new(`DOMAIN\user`), HostProcess: podtest.Maybe(r, true, false)}
		}
		if oneIn(r, 4) {
			sc.Capabilities = &corev1.Capabilities{
				Add:  []corev1.Capability{corev1.Capability(podtest.Pick(r, "cap_", "CAP_", "", "Cap_") + podtest.Pick(r, Hostile...))},
				Drop: []corev1.Capability{podtest.Pick[corev1.Capability](r, "aLL", "CAP_ALL", "chown", "CAP_CHOWN", "all\n")},
			}
		}
	})(c)
}

func randomProbe(r *rand.Rand) *corev1.Probe {
	if !oneIn(r, 8) {
		return nil
	}
	host, port := podtest.Pick(r, "", "10.0.0.1", podtest.Pick(r, Hostile...)), intstr.FromInt32(80)
	if oneIn(r, 2) {
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: port, Host: host}}}
	}
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: port, Host: host, Path: "/", Scheme: corev1.URISchemeHTTP}}}
}

func randomHook(r *rand.Rand) *corev1.LifecycleHandler {
	host, port := podtest.Pick(r, "", "localhost", podtest.Pick(r, Hostile...)), intstr.FromInt32(80)
	switch r.IntN(3) {
	case 0:
		return nil
	case 1:
		return &corev1.LifecycleHandler{TCPSocket: &corev1.TCPSocketAction{Port: port, Host: host}}
	default:
		return &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Port: port, Host: host, Path: "/", Scheme: corev1.URISchemeHTTP}}
	}
}

func hostileSELinux(r *rand.Rand) corev1.SELinuxOptions {
	part := func() string { return podtest.Pick(r, "", "x", podtest.Pick(r, Hostile...)) }
	return corev1.SELinuxOptions{User: part(), Role: part(), Type: part(), Level: part()}
}

func hostileSeccomp(r *rand.Rand) corev1.SeccompProfile {
	return *podtest.Seccomp(podtest.Pick(r, "runtime/default", "unconfined", "localhost/"+podtest.Pick(r, Hostile...)))
}

func hostileAppArmor(r *rand.Rand) corev1.AppArmorProfile {
	switch r.IntN(3) {
	case 0:
		return corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
	case 1:
		return corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
	default:
		return corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: new(strings.TrimSpace(podtest.Pick(r, Hostile...)))}
	}
}

// newProjection returns a source that the volume of a token does not have. Both kinds are
// served by default since 1.37 (pkg/features/kube_features.go, ClusterTrustBundleProjection
// and PodCertificateRequest).
func newProjection(r *rand.Rand) corev1.VolumeProjection {
	if oneIn(r, 2) {
		return corev1.VolumeProjection{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{SignerName: new("example.com/x"), Path: "bundle.pem"}}
	}
	return corev1.VolumeProjection{PodCertificate: &corev1.PodCertificateProjection{SignerName: "example.com/x", KeyType: "ED25519", CredentialBundlePath: "credentials.pem"}}
}

// oneIn is true once in n times.
func oneIn(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

// makeValidCurrent removes what Kubernetes 1.37 refuses
// (pkg/apis/core/validation/validation.go).
func makeValidCurrent(s *corev1.PodSpec, annotations map[string]string) {
	windows := s.OS != nil && s.OS.Name == corev1.Windows
	if windows {
		s.HostPID, s.HostIPC, s.HostUsers, s.ShareProcessNamespace = false, false, nil, nil
	}
	if s.HostPID {
		s.ShareProcessNamespace = nil
	}
	if is(s.HostUsers, false) {
		s.HostNetwork, s.HostPID, s.HostIPC = false, false, false
	}
	if sc := s.SecurityContext; sc != nil {
		sc.Sysctls = validSysctls(s, sc.Sysctls)
		dropContradiction(annotations, corev1.SeccompPodAnnotationKey, sc.SeccompProfile)
		switch {
		case windows:
			s.SecurityContext = &corev1.PodSecurityContext{WindowsOptions: sc.WindowsOptions, RunAsNonRoot: sc.RunAsNonRoot}
		case s.OS != nil:
			sc.WindowsOptions = nil
		}
	}
	used := map[string]bool{}
	for i := range s.InitContainers {
		if c := &s.InitContainers[i]; c.RestartPolicy == nil {
			c.LivenessProbe, c.ReadinessProbe, c.StartupProbe, c.Lifecycle = nil, nil, nil, nil
		}
	}
	for c := range podtest.Containers(s) {
		c.Ports = validPorts(c.Ports, s.HostNetwork, used)
		validContainer(s, c, annotations)
	}
	for i := range s.EphemeralContainers {
		c := (*corev1.Container)(&s.EphemeralContainers[i].EphemeralContainerCommon)
		c.Ports, c.LivenessProbe, c.ReadinessProbe, c.StartupProbe, c.Lifecycle = nil, nil, nil, nil, nil
		for k := range c.VolumeMounts {
			c.VolumeMounts[k].SubPath = ""
		}
		validContainer(s, c, annotations)
	}
	validHostProcess(s)
	if windows {
		maps.DeleteFunc(annotations, func(key, _ string) bool {
			return strings.HasPrefix(key, corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix)
		})
	}
}

func validContainer(s *corev1.PodSpec, c *corev1.Container, annotations map[string]string) {
	sc := c.SecurityContext
	privileged := sc != nil && is(sc.Privileged, true)
	for i := range c.VolumeMounts {
		if m := &c.VolumeMounts[i]; is(m.MountPropagation, corev1.MountPropagationBidirectional) && !privileged {
			m.MountPropagation = nil
		}
	}
	if sc == nil {
		return
	}
	// The advisor refuses what 1.24 does.
	dropContradiction(annotations, corev1.SeccompContainerAnnotationKeyPrefix+c.Name, sc.SeccompProfile)
	if sc.AppArmorProfile != nil {
		delete(annotations, corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name)
	}
	switch {
	case s.OS != nil && s.OS.Name == corev1.Windows:
		c.SecurityContext = &corev1.SecurityContext{WindowsOptions: sc.WindowsOptions, RunAsNonRoot: sc.RunAsNonRoot}
		return
	case s.OS != nil:
		sc.WindowsOptions = nil
	}
	if sc.ProcMount != nil && !is(s.HostUsers, false) {
		sc.ProcMount = nil
	}
	if needsEscalation(sc) && sc.AllowPrivilegeEscalation != nil {
		sc.AllowPrivilegeEscalation = new(true)
	}
}

// validHostProcess: either all containers are processes of the host, on its network,
// or none is.
func validHostProcess(s *corev1.PodSpec) {
	var options []*corev1.WindowsSecurityContextOptions
	for c := range podtest.Containers(s) {
		if c.SecurityContext != nil && c.SecurityContext.WindowsOptions != nil {
			options = append(options, c.SecurityContext.WindowsOptions)
		}
	}
	for i := range s.EphemeralContainers {
		if sc := s.EphemeralContainers[i].SecurityContext; sc != nil && sc.WindowsOptions != nil {
			options = append(options, sc.WindowsOptions)
		}
	}
	var whole *bool
	if s.SecurityContext != nil && s.SecurityContext.WindowsOptions != nil {
		whole = s.SecurityContext.WindowsOptions.HostProcess
		if !s.HostNetwork {
			whole, s.SecurityContext.WindowsOptions.HostProcess = nil, nil
		}
	}
	for _, o := range options {
		if o.HostProcess = nil; whole != nil && is(o.RunAsUserName, `DOMAIN\user`) {
			o.HostProcess = whole
		}
	}
}

func is[T comparable](field *T, value T) bool { return field != nil && *field == value }
