package main

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// template makes up a pod over the whole space that a policy can govern, with
// values from small pools so that workloads overlap. Most fields are left
// alone in most pods: policies are tight only where something is unused.
func (f *fleet) template() corev1.PodTemplateSpec {
	if f.alike {
		return f.hardened()
	}
	t := corev1.PodTemplateSpec{}
	s := &t.Spec
	s.ServiceAccountName = pick(f, "", "default", "robot")
	if f.IntN(6) == 0 {
		s.ServiceAccountName, s.DeprecatedServiceAccount = "", "robot"
	}
	s.AutomountServiceAccountToken = maybe(f, true, false)
	s.HostNetwork = f.IntN(5) == 0
	s.HostPID = f.IntN(8) == 0
	s.HostIPC = f.IntN(8) == 0
	if !s.HostPID {
		s.ShareProcessNamespace = maybe(f, true)
	}
	s.RuntimeClassName = maybe(f, "kata", "gvisor")
	s.SecurityContext = f.podContext(s)
	for i := range f.IntN(5) - 2 {
		s.InitContainers = append(s.InitContainers, f.container(fmt.Sprintf("init%d", i), s.HostNetwork))
	}
	for i := range 1 + f.IntN(3) {
		s.Containers = append(s.Containers, f.container(fmt.Sprintf("c%d", i), s.HostNetwork))
	}
	dropPortConflicts(s)
	for i := range max(0, f.IntN(6)-2) {
		s.Volumes = append(s.Volumes, corev1.Volume{Name: fmt.Sprintf("v%d", i), VolumeSource: f.volume()})
	}
	if len(s.Volumes) > 0 && f.IntN(12) == 0 {
		s.Volumes[0].Name = "kube-api-access-own" // what admission takes for a token volume
	}
	f.mounts(s)
	f.profiles(&t)
	return t
}

// hardened makes up a pod of the careful kind: one container that gives up
// some of what it could have, and often a seccomp profile for the whole pod.
func (f *fleet) hardened() corev1.PodTemplateSpec {
	t := corev1.PodTemplateSpec{}
	t.Spec.ServiceAccountName = pick(f, "", "robot")
	sc := &corev1.SecurityContext{
		RunAsUser:                maybe(f, int64(1000), 1001),
		RunAsGroup:               maybe(f, int64(1000)),
		RunAsNonRoot:             maybe(f, true),
		AllowPrivilegeEscalation: often(f, false),
		ReadOnlyRootFilesystem:   often(f, true),
	}
	if f.IntN(2) == 0 {
		sc.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
	}
	t.Spec.SecurityContext = &corev1.PodSecurityContext{
		FSGroup:            maybe(f, int64(1000)),
		SupplementalGroups: pick(f, nil, []int64{1000}),
		SELinuxOptions:     maybe(f, selinuxes[1]),
	}
	container := corev1.Container{Name: "c", Image: "example.com/c", SecurityContext: sc}
	switch f.IntN(4) {
	case 0, 1:
		t.Spec.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	case 2:
		sc.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	t.Spec.Containers = []corev1.Container{container}
	return t
}

var selinuxes = []corev1.SELinuxOptions{
	{},
	{Type: "spc_t"},
	{User: "u", Role: "r", Type: "t", Level: "s0:c0,c1"},
	{User: "u", Role: "r", Type: "t", Level: "s0:c1,c0"},
}

func (f *fleet) podContext(s *corev1.PodSpec) *corev1.PodSecurityContext {
	if f.IntN(3) == 0 {
		return nil
	}
	sc := &corev1.PodSecurityContext{
		RunAsUser:      maybe(f, ids...),
		RunAsGroup:     maybe(f, ids...),
		RunAsNonRoot:   maybe(f, true, false),
		FSGroup:        maybe(f, ids...),
		SELinuxOptions: maybe(f, selinuxes...),
	}
	if f.IntN(3) == 0 {
		for range 1 + f.IntN(3) {
			sc.SupplementalGroups = append(sc.SupplementalGroups, pick(f, ids...)) // may repeat
		}
	}
	if f.IntN(5) == 0 {
		seen := map[string]bool{}
		for range 1 + f.IntN(3) {
			name := pick(f, "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
				"net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start", "kernel.msgmax", "net.core.somaxconn", "net.ipv4.ip_forward")
			// A namespace of the host's cannot be tuned by a pod.
			if seen[name] || s.HostNetwork && strings.HasPrefix(name, "net.") || s.HostIPC && strings.HasPrefix(name, "kernel.") {
				continue
			}
			seen[name] = true
			sc.Sysctls = append(sc.Sysctls, corev1.Sysctl{Name: name, Value: "1"})
		}
	}
	return sc
}

// ids touch, stand alone, and reach the ends of what is allowed.
var ids = []int64{0, 1, 2, 1000, 1001, 1003, 65534, 1<<31 - 1}

var capabilities = []corev1.Capability{"ALL", "all", "KILL", "kill", "CHOWN", "NET_ADMIN", "CAP_NET_ADMIN", "net_admin", "SYS_ADMIN", "CAP_SYS_ADMIN", "NET_BIND_SERVICE"}

func (f *fleet) container(name string, hostNetwork bool) corev1.Container {
	c := corev1.Container{Name: name, Image: "example.com/" + name, TerminationMessagePolicy: corev1.TerminationMessageReadFile, ImagePullPolicy: corev1.PullAlways}
	if f.IntN(3) == 0 {
		for range 1 + f.IntN(3) {
			port := corev1.ContainerPort{ContainerPort: pick(f, int32(1), 79, 80, 81, 83, 8080, 65535), Protocol: pick(f, corev1.ProtocolTCP, corev1.ProtocolTCP, corev1.ProtocolUDP)}
			switch {
			case hostNetwork:
				port.HostPort = pick(f, 0, port.ContainerPort)
			default:
				port.HostPort = pick(f, 0, 0, port.ContainerPort, 82)
				if port.HostPort > 0 {
					port.HostIP = pick(f, "", "127.0.0.1")
				}
			}
			c.Ports = append(c.Ports, port)
		}
	}
	if f.IntN(4) == 0 {
		return c
	}
	sc := &corev1.SecurityContext{
		RunAsUser:                maybe(f, ids...),
		RunAsGroup:               maybe(f, ids...),
		RunAsNonRoot:             maybe(f, true, false),
		ReadOnlyRootFilesystem:   often(f, true, true, false),
		AllowPrivilegeEscalation: often(f, false, false, true),
		SELinuxOptions:           maybe(f, selinuxes...),
	}
	if f.IntN(10) == 0 {
		sc.Privileged = new(pick(f, true, false))
	}
	if f.IntN(2) == 0 {
		sc.Capabilities = &corev1.Capabilities{}
		if f.IntN(2) == 0 {
			sc.Capabilities.Drop = f.names(capabilities)
		}
		switch f.IntN(24) {
		case 0, 1, 2, 3, 4, 5:
			sc.Capabilities.Add = f.names(capabilities)
		case 6:
			sc.Capabilities.Add = []corev1.Capability{"*"} // means nothing to a runtime, and everything in a policy
		}
		if f.IntN(3) == 0 {
			sc.Capabilities.Drop = append(sc.Capabilities.Drop, "ALL")
		}
	}
	if f.IntN(10) == 0 {
		sc.ProcMount = new(pick(f, corev1.DefaultProcMount, corev1.UnmaskedProcMount))
	}
	if needsEscalation(sc) {
		// The API refuses the contradiction.
		sc.AllowPrivilegeEscalation = maybe(f, true)
	}
	c.SecurityContext = sc
	return c
}

// needsEscalation: validation refuses allowPrivilegeEscalation=false here
// (pkg/apis/core/validation/validation.go:6164, v1.24.17).
func needsEscalation(sc *corev1.SecurityContext) bool {
	if sc.Privileged != nil && *sc.Privileged {
		return true
	}
	return sc.Capabilities != nil && slices.Contains(sc.Capabilities.Add, "CAP_SYS_ADMIN")
}

// names takes a few, the same one perhaps twice.
func (f *fleet) names(pool []corev1.Capability) []corev1.Capability {
	var list []corev1.Capability
	for range 1 + f.IntN(3) {
		list = append(list, pick(f, pool...))
	}
	return list
}

// dropPortConflicts: two containers cannot share a host port.
func dropPortConflicts(s *corev1.PodSpec) {
	seen := map[string]bool{}
	for _, containers := range [][]corev1.Container{s.InitContainers, s.Containers} {
		for i := range containers {
			var kept []corev1.ContainerPort
			for _, p := range containers[i].Ports {
				host := p.HostPort
				if s.HostNetwork {
					host = p.ContainerPort
				}
				key := fmt.Sprint(host, p.Protocol)
				if host > 0 && seen[key] {
					continue
				}
				seen[key] = true
				kept = append(kept, p)
			}
			containers[i].Ports = kept
		}
	}
}

// volume makes up one of every kind that 1.24 has.
func (f *fleet) volume() corev1.VolumeSource {
	if f.IntN(3) == 0 {
		return corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{
			Path: pick(f, "/", "/var", "/var/", "/var/log", "/var/log/pods", "/var/lo", "/etc//ssl", "/etc/ssl", "/etc", "/etc//", "//", "etc", "/a\n---\nb", "/yes: \"no\" #"),
		}}
	}
	ref := corev1.LocalObjectReference{Name: "x"}
	sources := []corev1.VolumeSource{
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
		{FlexVolume: &corev1.FlexVolumeSource{Driver: pick(f, "a/x", "b/y")}},
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
		{CSI: &corev1.CSIVolumeSource{Driver: pick(f, "x.example.com", "y.example.com")}},
		{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		}}}},
		{Projected: tokenVolume()},
		{Projected: &corev1.ProjectedVolumeSource{}},
		{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}}}}}},
		{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: ref}}}}},
		{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: ref}}}}},
		{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", Audience: pick(f, "", "vault"), ExpirationSeconds: new(int64(7200))}}}}},
		{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "other", ExpirationSeconds: new(int64(7200))}}}}},
		{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: pick(f, "namespace", "labels"), FieldRef: &corev1.ObjectFieldSelector{FieldPath: pick(f, "metadata.namespace", "metadata.labels")}}}}}}}},
	}
	return pick(f, sources...)
}

// mounts mounts most volumes in some containers, read-only or not; one may
// cover the token's place.
func (f *fleet) mounts(s *corev1.PodSpec) {
	for _, containers := range [][]corev1.Container{s.InitContainers, s.Containers} {
		for i := range containers {
			for _, v := range s.Volumes {
				if f.IntN(3) == 0 {
					continue
				}
				m := corev1.VolumeMount{Name: v.Name, MountPath: "/mnt/" + v.Name, ReadOnly: f.IntN(2) == 0}
				containers[i].VolumeMounts = append(containers[i].VolumeMounts, m)
				if f.IntN(8) == 0 {
					m.MountPath, m.ReadOnly, m.SubPath = "/again/"+v.Name, f.IntN(2) == 0, "sub"
					containers[i].VolumeMounts = append(containers[i].VolumeMounts, m)
				}
			}
			if len(containers[i].VolumeMounts) > 0 && f.IntN(8) == 0 {
				containers[i].VolumeMounts[0].MountPath = tokenPath
			}
		}
	}
}

// dropLostMounts removes mounts of volumes that are gone.
func dropLostMounts(s *corev1.PodSpec) {
	volumes := map[string]bool{}
	for _, v := range s.Volumes {
		volumes[v.Name] = true
	}
	for _, containers := range [][]corev1.Container{s.InitContainers, s.Containers} {
		for i := range containers {
			var kept []corev1.VolumeMount
			for _, m := range containers[i].VolumeMounts {
				if volumes[m.Name] {
					kept = append(kept, m)
				}
			}
			containers[i].VolumeMounts = kept
		}
	}
}

// profiles sets seccomp, by field, annotation or both, and AppArmor, by
// annotation or by the field which 1.24 does not know.
func (f *fleet) profiles(t *corev1.PodTemplateSpec) {
	annotations := map[string]string{}
	seccomp := func(key string, set func(*corev1.SeccompProfile)) {
		annotation := pick(f, "runtime/default", "runtime/default", "docker/default", "unconfined", "localhost/a/b.json", "localhost/a,b.json")
		switch f.IntN(4) {
		case 0, 1:
			set(seccompField(annotation))
		case 2:
			annotations[key] = annotation
		case 3:
			set(seccompField(annotation))
			annotations[key] = seccompAnnotation(*seccompField(annotation))
		}
	}
	switch f.IntN(3) {
	case 0:
		seccomp(corev1.SeccompPodAnnotationKey, func(p *corev1.SeccompProfile) {
			if t.Spec.SecurityContext == nil {
				t.Spec.SecurityContext = &corev1.PodSecurityContext{}
			}
			t.Spec.SecurityContext.SeccompProfile = p
		})
	case 1:
		t.Spec.SecurityContext = withAppArmor(f, t.Spec.SecurityContext)
	}
	mode := f.IntN(4) // none, some or all containers have one
	armed := f.IntN(4)
	for _, containers := range [][]corev1.Container{t.Spec.InitContainers, t.Spec.Containers} {
		for i := range containers {
			c := &containers[i]
			if mode == 0 || mode == 1 && f.IntN(2) == 0 {
				seccomp(corev1.SeccompContainerAnnotationKeyPrefix+c.Name, func(p *corev1.SeccompProfile) {
					if c.SecurityContext == nil {
						c.SecurityContext = &corev1.SecurityContext{}
					}
					c.SecurityContext.SeccompProfile = p
				})
			}
			if armed == 0 || armed == 1 && f.IntN(2) == 0 {
				annotations[corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name] = pick(f, "runtime/default", "runtime/default", "unconfined", "localhost/p", "localhost/p,q")
			}
		}
	}
	if len(annotations) > 0 {
		t.ObjectMeta = metav1.ObjectMeta{Annotations: annotations}
	}
}

func withAppArmor(f *fleet, sc *corev1.PodSecurityContext) *corev1.PodSecurityContext {
	if f.IntN(4) > 0 {
		return sc
	}
	if sc == nil {
		sc = &corev1.PodSecurityContext{}
	}
	sc.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
	return sc
}
