package podtest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
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

// Random returns a random pod, which a server may refuse: its parts are drawn one
// by one, whether they fit together or not. Each field that matters for privileges
// has a few values, so that pods have values in common, and is unset in most pods,
// since policies are tight only where something is unused.
func Random(r *rand.Rand) *corev1.Pod {
	pod := Pod()
	spec := &pod.Spec
	pod.Name = fmt.Sprintf("p%d", r.IntN(5))
	spec.ServiceAccountName = Pick(r, "", "default", "robot")
	if chance(r, 6) {
		spec.ServiceAccountName, spec.DeprecatedServiceAccount = "", "robot"
	}
	spec.AutomountServiceAccountToken = Maybe(r, true, false)
	spec.HostNetwork, spec.HostPID, spec.HostIPC = chance(r, 5), chance(r, 8), chance(r, 8)
	spec.HostUsers, spec.ShareProcessNamespace = Maybe(r, true, false), Maybe(r, true, false)
	spec.RuntimeClassName = Maybe(r, "gvisor", "kata")
	spec.SecurityContext = randomPodContext(r)
	spec.Containers = nil
	for i := range r.IntN(5) - 2 {
		spec.InitContainers = append(spec.InitContainers, RandomContainer(r, fmt.Sprintf("i%d", i)))
	}
	for i := range 1 + r.IntN(3) {
		spec.Containers = append(spec.Containers, RandomContainer(r, fmt.Sprintf("c%d", i)))
	}
	for i := range r.IntN(2) {
		Ephemeral(fmt.Sprintf("e%d", i), func(c *corev1.Container) { *c = RandomContainer(r, c.Name) })(pod)
	}
	for i := range r.IntN(6) - 2 {
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: fmt.Sprintf("v%d", i), VolumeSource: randomVolume(r)})
	}
	if len(spec.Volumes) > 0 && chance(r, 12) {
		spec.Volumes[0].Name = "kube-api-access-own" // what admission recognizes as a token volume
	}
	for c := range Containers(&pod.Spec) {
		randomMounts(r, c, spec.Volumes)
	}
	randomProfiles(r, pod)
	return pod
}

var (
	// ids touch, stand alone, and reach the ends of what is allowed.
	ids       = []int64{0, 1, 2, 1000, 1001, 1003, 65534, 1<<31 - 1}
	selinuxes = []corev1.SELinuxOptions{
		{},
		{Type: "spc_t"},
		{User: "u", Role: "r", Type: "t", Level: "s0:c0,c1"},
		{User: "u", Role: "r", Type: "t", Level: "s0:c1,c0"},
	}
	sysctls = []string{
		"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net/ipv4/tcp_syncookies",
		"net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start", "kernel.msgmax", "net.core.somaxconn", "net.ipv4.ip_forward",
	}
	capabilities = []corev1.Capability{
		"ALL", "all", "KILL", "kill", "CHOWN", "NET_ADMIN", "CAP_NET_ADMIN", "net_admin", "SYS_ADMIN", "CAP_SYS_ADMIN", "NET_BIND_SERVICE",
	}
	hostPaths = []string{
		"/", "/var", "/var/", "/var/log", "/var/log/pods", "/var/lo", "/variable", "/etc//ssl", "/etc/ssl", "/etc", "/etc//", "//", "etc",
		"/a\n---\nb", "/yes: \"no\" #",
	}
)

func randomPodContext(r *rand.Rand) *corev1.PodSecurityContext {
	if chance(r, 3) {
		return nil
	}
	sc := &corev1.PodSecurityContext{
		RunAsUser: Maybe(r, ids...), RunAsGroup: Maybe(r, ids...), RunAsNonRoot: Maybe(r, true, false), FSGroup: Maybe(r, ids...),
		SELinuxOptions:           Maybe(r, selinuxes...),
		SupplementalGroupsPolicy: Maybe(r, corev1.SupplementalGroupsPolicyMerge, corev1.SupplementalGroupsPolicyStrict),
		WindowsOptions:           randomWindows(r),
	}
	if chance(r, 3) {
		sc.SupplementalGroups = some(r, ids)
	}
	if chance(r, 5) {
		for _, name := range some(r, sysctls) {
			sc.Sysctls = append(sc.Sysctls, corev1.Sysctl{Name: name, Value: "1"})
		}
	}
	return sc
}

// RandomContainer returns a random container of that name without volume mounts.
func RandomContainer(r *rand.Rand, name string) corev1.Container {
	c := corev1.Container{
		Name: name, Image: "example.com/" + name,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile, ImagePullPolicy: corev1.PullAlways,
	}
	if chance(r, 3) {
		for range 1 + r.IntN(3) {
			port := corev1.ContainerPort{
				ContainerPort: Pick(r, int32(1), 79, 80, 81, 83, 8080, 65535),
				Protocol:      Pick(r, corev1.ProtocolTCP, corev1.ProtocolTCP, corev1.ProtocolUDP),
			}
			if port.HostPort = Pick(r, 0, 0, port.ContainerPort, 82); port.HostPort > 0 {
				port.HostIP = Pick(r, "", "127.0.0.1")
			}
			c.Ports = append(c.Ports, port)
		}
	}
	if chance(r, 4) {
		c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(80), Host: Pick(r, "", "10.0.0.1")}}}
	}
	if chance(r, 4) {
		c.EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}
	}
	if chance(r, 4) {
		return c
	}
	c.SecurityContext = &corev1.SecurityContext{
		RunAsUser: Maybe(r, ids...), RunAsGroup: Maybe(r, ids...), RunAsNonRoot: Maybe(r, true, false),
		ReadOnlyRootFilesystem:   Often(r, true, true, false),
		AllowPrivilegeEscalation: Often(r, false, false, true),
		SELinuxOptions:           Maybe(r, selinuxes...),
		WindowsOptions:           randomWindows(r),
	}
	if chance(r, 10) {
		c.SecurityContext.Privileged = new(chance(r, 2))
	}
	if chance(r, 10) {
		c.SecurityContext.ProcMount = new(Pick(r, corev1.DefaultProcMount, corev1.UnmaskedProcMount))
	}
	if chance(r, 2) {
		c.SecurityContext.Capabilities = randomCapabilities(r)
	}
	return c
}

func randomCapabilities(r *rand.Rand) *corev1.Capabilities {
	list := &corev1.Capabilities{}
	if chance(r, 2) {
		list.Drop = some(r, capabilities)
	}
	switch r.IntN(24) {
	case 0, 1, 2, 3, 4, 5:
		list.Add = some(r, capabilities)
	case 6:
		list.Add = []corev1.Capability{"*"} // means nothing to a runtime, and everything in a policy
	}
	if chance(r, 3) {
		list.Drop = append(list.Drop, "ALL")
	}
	return list
}

// randomMounts mounts most volumes in the container; one may cover the token's
// place.
func randomMounts(r *rand.Rand, c *corev1.Container, volumes []corev1.Volume) {
	for _, v := range volumes {
		if chance(r, 3) {
			continue
		}
		m := corev1.VolumeMount{
			Name: v.Name, MountPath: "/mnt/" + v.Name, ReadOnly: chance(r, 2),
			MountPropagation: Maybe(r, corev1.MountPropagationBidirectional, corev1.MountPropagationNone),
		}
		c.VolumeMounts = append(c.VolumeMounts, m)
		if chance(r, 8) {
			m.MountPath, m.ReadOnly, m.SubPath = "/again/"+v.Name, chance(r, 2), "sub"
			c.VolumeMounts = append(c.VolumeMounts, m)
		}
	}
	if len(c.VolumeMounts) > 0 && chance(r, 8) {
		c.VolumeMounts[0].MountPath = "/var/run/secrets/kubernetes.io/serviceaccount"
	}
}

// randomVolume returns one of every kind of volume.
func randomVolume(r *rand.Rand) corev1.VolumeSource {
	if chance(r, 3) {
		return HostPath(Pick(r, hostPaths...))
	}
	ref := corev1.LocalObjectReference{Name: "x"}
	projected := func(source corev1.VolumeProjection) corev1.VolumeSource {
		return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{source}}}
	}
	return Pick(r, []corev1.VolumeSource{
		{},
		{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		{GCEPersistentDisk: &corev1.GCEPersistentDiskVolumeSource{PDName: "x"}},
		{AWSElasticBlockStore: &corev1.AWSElasticBlockStoreVolumeSource{VolumeID: "x"}},
		{GitRepo: &corev1.GitRepoVolumeSource{Repository: "x"}},
		{Secret: &corev1.SecretVolumeSource{SecretName: "x"}},
		{NFS: &corev1.NFSVolumeSource{Server: "x", Path: "/x"}},
		{ISCSI: &corev1.ISCSIVolumeSource{TargetPortal: "x", IQN: "iqn.2001-04.com.example:x", Lun: 1, ISCSIInterface: "default"}},
		{Glusterfs: &corev1.GlusterfsVolumeSource{EndpointsName: "x", Path: "x"}},
		{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "x"}},
		{RBD: &corev1.RBDVolumeSource{CephMonitors: []string{"x"}, RBDImage: "x", RBDPool: "rbd", RadosUser: "admin", Keyring: "/x"}},
		{FlexVolume: &corev1.FlexVolumeSource{Driver: Pick(r, "a/x", "b/y")}},
		{Cinder: &corev1.CinderVolumeSource{VolumeID: "x"}},
		{CephFS: &corev1.CephFSVolumeSource{Monitors: []string{"x"}}},
		{Flocker: &corev1.FlockerVolumeSource{DatasetName: "x"}},
		{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{{Path: "x", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}}}},
		{FC: &corev1.FCVolumeSource{TargetWWNs: []string{"50060e801049cfd1"}, Lun: new(int32(0))}},
		{AzureFile: &corev1.AzureFileVolumeSource{SecretName: "x", ShareName: "x"}},
		{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: ref}},
		{VsphereVolume: &corev1.VsphereVirtualDiskVolumeSource{VolumePath: "x"}},
		{Quobyte: &corev1.QuobyteVolumeSource{Registry: "x:1", Volume: "x"}},
		{AzureDisk: &corev1.AzureDiskVolumeSource{DiskName: "x", DataDiskURI: "https://x.blob.core.windows.net/x"}},
		{PhotonPersistentDisk: &corev1.PhotonPersistentDiskVolumeSource{PdID: "x"}},
		{PortworxVolume: &corev1.PortworxVolumeSource{VolumeID: "x"}},
		{ScaleIO: &corev1.ScaleIOVolumeSource{Gateway: "https://x", System: "x", SecretRef: &ref, VolumeName: "x"}},
		{StorageOS: &corev1.StorageOSVolumeSource{VolumeName: "x"}},
		{CSI: &corev1.CSIVolumeSource{Driver: Pick(r, "x.example.com", "y.example.com")}},
		{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		}}}},
		{Image: &corev1.ImageVolumeSource{Reference: "example.com/x"}},
		Token(),
		{Projected: &corev1.ProjectedVolumeSource{}},
		projected(corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}}}),
		projected(corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: ref}}),
		projected(corev1.VolumeProjection{Secret: &corev1.SecretProjection{LocalObjectReference: ref}}),
		projected(corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", Audience: Pick(r, "", "vault"), ExpirationSeconds: new(int64(7200))}}),
		projected(corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "other", ExpirationSeconds: new(int64(7200))}}),
		projected(corev1.VolumeProjection{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: Pick(r, "namespace", "labels"), FieldRef: &corev1.ObjectFieldSelector{FieldPath: Pick(r, "metadata.namespace", "metadata.labels")}}}}}),
	}...)
}

// randomProfiles sets seccomp and AppArmor profiles by field, by annotation, or by
// both, for the pod and for none, some or all of its containers.
func randomProfiles(r *rand.Rand, pod *corev1.Pod) {
	seccomp, appArmor := r.IntN(4), r.IntN(4)
	of := func(mode int) bool { return mode == 0 || mode == 1 && chance(r, 2) }
	if chance(r, 3) {
		set := func(p *corev1.SeccompProfile) {
			PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SeccompProfile = p })(pod)
		}
		randomSeccomp(r, pod, corev1.SeccompPodAnnotationKey, set)
	}
	if chance(r, 12) {
		PodSecurity(func(sc *corev1.PodSecurityContext) { sc.AppArmorProfile = randomAppArmor(r) })(pod)
	}
	for c := range Containers(&pod.Spec) {
		if of(seccomp) {
			set := func(p *corev1.SeccompProfile) { Context(func(sc *corev1.SecurityContext) { sc.SeccompProfile = p })(c) }
			randomSeccomp(r, pod, corev1.SeccompContainerAnnotationKeyPrefix+c.Name, set)
		}
		if !of(appArmor) {
			continue
		}
		if chance(r, 4) {
			Context(func(sc *corev1.SecurityContext) { sc.AppArmorProfile = randomAppArmor(r) })(c)
		} else {
			Annotate(corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name, Pick(r, "runtime/default", "runtime/default", "unconfined", "localhost/p", "localhost/p,q"))(pod)
		}
	}
}

func randomSeccomp(r *rand.Rand, pod *corev1.Pod, key string, set func(*corev1.SeccompProfile)) {
	draw := func() string {
		return Pick(r, "runtime/default", "runtime/default", "docker/default", "unconfined", "localhost/a/b.json", "localhost/a,b.json")
	}
	mode := r.IntN(4)
	if mode != 0 {
		set(Seccomp(draw()))
	}
	if mode < 2 {
		Annotate(key, draw())(pod)
	}
}

func randomAppArmor(r *rand.Rand) *corev1.AppArmorProfile {
	return new(Pick(r,
		corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault},
		corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: new("a")},
	))
}

func randomWindows(r *rand.Rand) *corev1.WindowsSecurityContextOptions {
	if !chance(r, 12) {
		return nil
	}
	return &corev1.WindowsSecurityContextOptions{HostProcess: Maybe(r, true, false), RunAsUserName: Maybe(r, "ContainerUser", "Administrator")}
}

// Pick returns one of the values.
func Pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// Often returns one of the values in half of the cases, else nil.
func Often[T any](r *rand.Rand, values ...T) *T {
	if chance(r, 2) {
		return nil
	}
	return new(Pick(r, values...))
}

// Maybe returns one of the values in a quarter of the cases, else nil.
func Maybe[T any](r *rand.Rand, values ...T) *T {
	if !chance(r, 4) {
		return nil
	}
	return new(Pick(r, values...))
}

// some returns up to three values, the same one perhaps twice.
func some[T any](r *rand.Rand, values []T) []T {
	var list []T
	for range 1 + r.IntN(3) {
		list = append(list, Pick(r, values...))
	}
	return list
}

// chance is true once in n times.
func chance(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }
