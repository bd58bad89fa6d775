package psp

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

const byWeb = " needed by shop Deployment/web"

func security(tweak func(*corev1.SecurityContext)) *corev1.Pod {
	return podtest.Pod(podtest.Security(tweak))
}

func podSecurity(tweak func(*corev1.PodSecurityContext)) *corev1.Pod {
	return podtest.Pod(podtest.PodSecurity(tweak))
}

func volumePod(source corev1.VolumeSource, mount *corev1.VolumeMount) *corev1.Pod {
	return podtest.Pod(podtest.Volume("v", source, mount))
}

func TestWithinFlags(t *testing.T) {
	hostPID := podtest.Pod(func(p *corev1.Pod) { p.Spec.HostPID = true })
	testWithin(t, []withinCase{
		{
			name: "privileged", pod: security(func(s *corev1.SecurityContext) { s.Privileged = new(true) }),
			policy:  func(p *writtenPolicy) { p.Spec.Privileged = false },
			exceeds: []string{"spec.privileged: true" + byWeb + " (container c)"},
		},
		{
			name: "host namespace", pod: hostPID,
			policy:  func(p *writtenPolicy) { p.Spec.HostPID = false },
			exceeds: []string{"spec.hostPID: true" + byWeb},
		},
		{
			name: "writable root file system", pod: security(func(s *corev1.SecurityContext) { s.ReadOnlyRootFilesystem = new(false) }),
			policy:  func(p *writtenPolicy) { p.Spec.ReadOnlyRootFilesystem = true },
			exceeds: []string{"spec.readOnlyRootFilesystem: false" + byWeb + " (container c)"},
		},
		{
			name: "root file system unset", pod: podtest.Pod(),
			policy:  func(p *writtenPolicy) { p.Spec.ReadOnlyRootFilesystem = true },
			changed: []string{"spec.readOnlyRootFilesystem: sets true for shop Deployment/web (container c)"},
		},
		{
			name: "escalation", pod: security(func(s *corev1.SecurityContext) { s.AllowPrivilegeEscalation = new(true) }),
			policy:  func(p *writtenPolicy) { p.Spec.AllowPrivilegeEscalation = new(false) },
			exceeds: []string{"spec.allowPrivilegeEscalation: true" + byWeb + " (container c)"},
		},
		{
			name: "escalation unset", pod: podtest.Pod(),
			policy:  func(p *writtenPolicy) { p.Spec.AllowPrivilegeEscalation = new(false) },
			changed: []string{"spec.allowPrivilegeEscalation: sets false for shop Deployment/web (container c)"},
		},
		{
			name: "escalation unset of a privileged container", pod: security(func(s *corev1.SecurityContext) { s.Privileged = new(true) }),
			policy:  func(p *writtenPolicy) { p.Spec.AllowPrivilegeEscalation = new(false) },
			exceeds: []string{"spec.allowPrivilegeEscalation: true, as false is invalid with privileged or CAP_SYS_ADMIN," + byWeb + " (container c)"},
		},
		{
			name: "escalation by default", pod: podtest.Pod(),
			policy:  func(p *writtenPolicy) { p.Spec.DefaultAllowPrivilegeEscalation = new(true) },
			changed: []string{"spec.defaultAllowPrivilegeEscalation: sets true for shop Deployment/web (container c)"},
		},
		{
			name: "no escalation by default", pod: podtest.Pod(),
			policy:  func(p *writtenPolicy) { p.Spec.DefaultAllowPrivilegeEscalation = new(false) },
			changed: []string{"spec.defaultAllowPrivilegeEscalation: sets false for shop Deployment/web (container c)"},
		},
	})
}

func TestWithinCapabilities(t *testing.T) {
	adds := func(list ...corev1.Capability) *corev1.Pod {
		return security(func(s *corev1.SecurityContext) { s.Capabilities = &corev1.Capabilities{Add: list} })
	}
	drops := func(list ...corev1.Capability) *corev1.Pod {
		return security(func(s *corev1.SecurityContext) { s.Capabilities = &corev1.Capabilities{Drop: list} })
	}
	testWithin(t, []withinCase{
		{
			name: "not allowed", pod: adds("NET_ADMIN", "KILL"),
			policy:  func(p *writtenPolicy) { p.Spec.AllowedCapabilities = []corev1.Capability{"KILL", "CAP_NET_ADMIN"} },
			exceeds: []string{"spec.allowedCapabilities: NET_ADMIN" + byWeb + " (container c)"},
		},
		{
			name: "allowed by default", pod: adds("KILL"),
			policy: func(p *writtenPolicy) {
				p.Spec.AllowedCapabilities, p.Spec.DefaultAddCapabilities = nil, []corev1.Capability{"KILL"}
			},
		},
		{
			name: "not needed", pod: adds("KILL"),
			policy:  func(p *writtenPolicy) { p.Spec.AllowedCapabilities = []corev1.Capability{"KILL", "CHOWN"} },
			tighter: []string{"spec.allowedCapabilities: 'CHOWN' is not needed"},
		},
		{
			name: "added", pod: podtest.Pod(),
			policy:  func(p *writtenPolicy) { p.Spec.DefaultAddCapabilities = []corev1.Capability{"KILL"} },
			changed: []string{"spec.defaultAddCapabilities: adds 'KILL' for shop Deployment/web (container c)"},
			tighter: []string{"spec.defaultAddCapabilities: 'KILL' is not needed"},
		},
		{
			name: "not added to what drops it", pod: drops("KILL"),
			policy:  func(p *writtenPolicy) { p.Spec.DefaultAddCapabilities = []corev1.Capability{"KILL"} },
			tighter: []string{"spec.defaultAddCapabilities: 'KILL' is not needed"},
		},
		{
			name: "dropped in another spelling", pod: drops("all"),
			policy: func(p *writtenPolicy) {
				p.Spec.AllowedCapabilities, p.Spec.RequiredDropCapabilities = nil, []corev1.Capability{"ALL"}
			},
			changed: []string{"spec.requiredDropCapabilities: drops 'ALL' for shop Deployment/web (container c)"},
		},
	})
}

func TestWithinVolumes(t *testing.T) {
	testWithin(t, []withinCase{
		{
			name: "type", pod: volumePod(podtest.HostPath("/a"), nil),
			policy:  func(p *writtenPolicy) { p.Spec.Volumes = []string{"secret"} },
			exceeds: []string{"spec.volumes: 'hostPath'" + byWeb},
		},
		{
			name: "token by secret", pod: volumePod(podtest.Token(), nil),
			policy: func(p *writtenPolicy) { p.Spec.Volumes = []string{"secret"} },
		},
		{
			name: "token by projected", pod: volumePod(podtest.Token(), nil),
			policy:  func(p *writtenPolicy) { p.Spec.Volumes = []string{"projected"} },
			tighter: []string{"spec.volumes: 'projected' is written, 'secret' is enough for the service account token"},
		},
		{
			name: "spelling", pod: volumePod(corev1.VolumeSource{CephFS: &corev1.CephFSVolumeSource{}}, nil),
			policy:  func(p *writtenPolicy) { p.Spec.Volumes = []string{"cephFS", "rbd"} },
			tighter: []string{"spec.volumes: 'rbd' is not needed"},
		},
		{
			name: "below the prefix", pod: volumePod(podtest.HostPath("/var/log/a"), &corev1.VolumeMount{ReadOnly: true}),
			policy:  func(p *writtenPolicy) { p.Spec.AllowedHostPaths = []allowedHostPath{{PathPrefix: "/var/"}} },
			tighter: []string{"spec.allowedHostPaths: '/var/' writable is written, only '/var/log/a' read-only is needed"},
		},
		{
			name: "beside the prefix", pod: volumePod(podtest.HostPath("/var/logs"), nil),
			policy:  func(p *writtenPolicy) { p.Spec.AllowedHostPaths = []allowedHostPath{{PathPrefix: "/var/log"}} },
			exceeds: []string{"spec.allowedHostPaths: '/var/logs' read-only" + byWeb},
		},
		{
			name: "writable", pod: volumePod(podtest.HostPath("/var/log"), &corev1.VolumeMount{}),
			policy:  func(p *writtenPolicy) { p.Spec.AllowedHostPaths = []allowedHostPath{{"/var/log", true}} },
			exceeds: []string{"spec.allowedHostPaths: '/var/log' writable" + byWeb + " (container c)"},
		},
		{
			name: "a writable prefix wins", pod: volumePod(podtest.HostPath("/var/log"), &corev1.VolumeMount{}),
			policy: func(p *writtenPolicy) {
				p.Spec.AllowedHostPaths = []allowedHostPath{{"/var/log", true}, {"/var", false}}
			},
			tighter: []string{
				"spec.allowedHostPaths: '/var/log' read-only is not needed",
				"spec.allowedHostPaths: '/var' writable is written, only '/var/log' writable is needed",
			},
		},
		{
			name: "driver", pod: volumePod(corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "a"}}, nil),
			policy:  func(p *writtenPolicy) { p.Spec.AllowedCSIDrivers = []allowedCSIDriver{{"b"}} },
			exceeds: []string{"spec.allowedCSIDrivers: 'a'" + byWeb},
		},
		{
			name: "drivers of a type that is not needed", pod: podtest.Pod(),
			policy: func(p *writtenPolicy) { p.Spec.AllowedFlexVolumes = []allowedFlexVolume{{"b"}} },
		},
	})
}

func TestWithinIDs(t *testing.T) {
	user := func(uid int64) *corev1.Pod {
		return security(func(s *corev1.SecurityContext) { s.RunAsUser = &uid })
	}
	must := idRule{Rule: mustRunAs, Ranges: []idRange{{1000, 1001}, {2000, 2000}}}
	testWithin(t, []withinCase{
		{
			name: "port", pod: podtest.Pod(podtest.Container(func(c *corev1.Container) {
				c.Ports = []corev1.ContainerPort{{HostPort: 80}, {HostPort: 0}}
			})),
			policy:  func(p *writtenPolicy) { p.Spec.HostPorts = []idRange{{81, 90}, {1, 79}} },
			exceeds: []string{"spec.hostPorts: 80" + byWeb + " (container c)"},
		},
		{
			name: "ports", pod: podtest.Pod(podtest.Container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{HostPort: 1}, {HostPort: 3}} })),
			policy:  func(p *writtenPolicy) { p.Spec.HostPorts = []idRange{{0, 1}, {2, 9}, {70000, 70001}} },
			tighter: []string{"spec.hostPorts: 2-9 is written, only 3 is needed"},
		},
		{
			name: "user in range", pod: user(1000),
			policy: func(p *writtenPolicy) { p.Spec.RunAsUser = must },
			tighter: []string{
				"spec.runAsUser.ranges: 1000-1001 is written, only 1000 is needed",
				"spec.runAsUser.ranges: 2000 is not needed",
			},
		},
		{
			name: "user out of range", pod: user(0),
			policy:  func(p *writtenPolicy) { p.Spec.RunAsUser = must },
			exceeds: []string{"spec.runAsUser.ranges: 0" + byWeb + " (container c)"},
		},
		{
			name: "user unset", pod: podtest.Pod(),
			policy:  func(p *writtenPolicy) { p.Spec.RunAsUser = must },
			changed: []string{"spec.runAsUser: sets 1000 for shop Deployment/web (container c)"},
			tighter: []string{
				"spec.runAsUser.ranges: 1000-1001 is written, only 1000 is needed",
				"spec.runAsUser.ranges: 2000 is not needed",
			},
		},
		{
			name: "root", pod: user(0),
			policy:  func(p *writtenPolicy) { p.Spec.RunAsUser = idRule{Rule: mustRunAsNonRoot} },
			exceeds: []string{"spec.runAsUser: user 0" + byWeb + " (container c)"},
		},
		{
			name: "no non-root", pod: security(func(s *corev1.SecurityContext) { s.RunAsNonRoot = new(false) }),
			policy:  func(p *writtenPolicy) { p.Spec.RunAsUser = idRule{Rule: mustRunAsNonRoot} },
			exceeds: []string{"spec.runAsUser: runAsNonRoot: false" + byWeb + " (container c)"},
		},
		{
			name: "maybe root", pod: podtest.Pod(),
			policy:  func(p *writtenPolicy) { p.Spec.RunAsUser = idRule{Rule: mustRunAsNonRoot} },
			changed: []string{"spec.runAsUser: sets runAsNonRoot: true for shop Deployment/web (container c)"},
		},
		{
			name: "group unset", pod: podtest.Pod(),
			policy:  func(p *writtenPolicy) { p.Spec.FSGroup = idRule{Rule: mustRunAs, Ranges: []idRange{{1, 1}}} },
			changed: []string{"spec.fsGroup: sets 1 for shop Deployment/web"},
		},
		{
			name: "group may be unset", pod: podtest.Pod(),
			policy:  func(p *writtenPolicy) { p.Spec.RunAsGroup = &idRule{mayRunAs, []idRange{{1, 65535}}} },
			tighter: []string{"spec.runAsGroup.ranges: 1-65535 is written, no pod sets one: 65534 is enough"},
		},
		{
			name: "group out of range", pod: podSecurity(func(s *corev1.PodSecurityContext) { s.SupplementalGroups = []int64{0, 5} }),
			policy:  func(p *writtenPolicy) { p.Spec.SupplementalGroups = idRule{mayRunAs, []idRange{{1, 9}}} },
			exceeds: []string{"spec.supplementalGroups.ranges: 0" + byWeb},
		},
	})
}

func TestWithinOthers(t *testing.T) {
	sysctl := func(name string) *corev1.Pod {
		return podSecurity(func(s *corev1.PodSecurityContext) { s.Sysctls = []corev1.Sysctl{{Name: name}} })
	}
	class := func(name string) *corev1.Pod {
		return podtest.Pod(func(p *corev1.Pod) { p.Spec.RuntimeClassName = &name })
	}
	level := func(level string) *corev1.SELinuxOptions { return &corev1.SELinuxOptions{Level: level} }
	testWithin(t, []withinCase{
		{
			name: "safe sysctl", pod: sysctl("net.ipv4.tcp_syncookies"),
			policy:  func(p *writtenPolicy) { p.Spec.AllowedUnsafeSysctls = []string{"net.core.*"} },
			tighter: []string{"spec.allowedUnsafeSysctls: 'net.core.*' is not needed"},
		},
		{
			name: "forbidden sysctl", pod: sysctl("net.ipv4.tcp_syncookies"),
			policy: func(p *writtenPolicy) {
				p.Spec.AllowedUnsafeSysctls, p.Spec.ForbiddenSysctls = nil, []string{"net.*"}
			},
			exceeds: []string{"spec.forbiddenSysctls: 'net.ipv4.tcp_syncookies'" + byWeb},
		},
		{
			name: "unsafe sysctl", pod: sysctl("net.core.somaxconn"),
			policy:  func(p *writtenPolicy) { p.Spec.AllowedUnsafeSysctls = []string{"net.core"} },
			exceeds: []string{"spec.allowedUnsafeSysctls: 'net.core.somaxconn'" + byWeb},
		},
		{
			name: "proc mount", pod: security(func(s *corev1.SecurityContext) { s.ProcMount = new(corev1.UnmaskedProcMount) }),
			policy:  func(p *writtenPolicy) { p.Spec.AllowedProcMountTypes = nil },
			exceeds: []string{"spec.allowedProcMountTypes: 'Unmasked'" + byWeb + " (container c)"},
		},
		{
			name: "runtime class", pod: class("kata"),
			policy:  func(p *writtenPolicy) { p.Spec.RuntimeClass = &writtenRuntimeClass{} },
			exceeds: []string{"spec.runtimeClass.allowedRuntimeClassNames: 'kata'" + byWeb},
		},
		{
			name: "default runtime class", pod: podtest.Pod(),
			policy: func(p *writtenPolicy) {
				p.Spec.RuntimeClass = &writtenRuntimeClass{[]string{"kata", "gvisor"}, new("kata")}
			},
			changed: []string{"spec.runtimeClass.defaultRuntimeClassName: sets 'kata' for shop Deployment/web"},
			tighter: []string{"spec.runtimeClass.allowedRuntimeClassNames: 'gvisor' is not needed"},
		},
		{
			name: "SELinux options in another order", pod: podSecurity(func(s *corev1.PodSecurityContext) { s.SELinuxOptions = level("s0:c1,c2") }),
			policy: func(p *writtenPolicy) { p.Spec.SELinux = seLinuxRule{mustRunAs, level("s0:c2,c1")} },
		},
		{
			name: "SELinux options", pod: podSecurity(func(s *corev1.PodSecurityContext) { s.SELinuxOptions = level("s0:c1.c2") }),
			policy:  func(p *writtenPolicy) { p.Spec.SELinux = seLinuxRule{mustRunAs, level("s0:c1,c2")} },
			exceeds: []string{`spec.seLinux.seLinuxOptions: '{level "s0:c1.c2"}'` + byWeb},
		},
		{
			name: "SELinux options of a container only", pod: security(func(s *corev1.SecurityContext) { s.SELinuxOptions = level("s0") }),
			policy:  func(p *writtenPolicy) { p.Spec.SELinux = seLinuxRule{mustRunAs, level("s0")} },
			changed: []string{`spec.seLinux: sets '{level "s0"}' for shop Deployment/web`},
		},
	})
}

func TestWithinProfiles(t *testing.T) {
	runtimeDefault := podtest.Seccomp("runtime/default")
	podLevel := podSecurity(func(s *corev1.PodSecurityContext) { s.SeccompProfile = runtimeDefault })
	appArmor := podtest.Pod(podtest.Annotate(corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+"c", "unconfined"))
	annotate := func(key, value string) func(*writtenPolicy) {
		return func(p *writtenPolicy) { p.Annotations[key] = value }
	}
	seccompField, appArmorField := annotationField(seccompAllowedAnnotation), annotationField(appArmorAllowedAnnotation)
	testWithin(t, []withinCase{
		{
			name: "seccomp without a list", pod: podLevel,
			policy:  func(p *writtenPolicy) { delete(p.Annotations, seccompAllowedAnnotation) },
			exceeds: []string{seccompField + ": 'runtime/default'" + byWeb},
		},
		{
			name: "seccomp by its old name", pod: podLevel,
			policy:  annotate(seccompAllowedAnnotation, "docker/default,unconfined"),
			tighter: []string{seccompField + ": 'unconfined' is not needed"},
		},
		{
			name: "seccomp unset", pod: podtest.Pod(),
			policy:  annotate(seccompAllowedAnnotation, "runtime/default"),
			exceeds: []string{seccompField + ": no profile at pod level or in a container" + byWeb},
		},
		{
			name: "seccomp on containers only", pod: security(func(s *corev1.SecurityContext) { s.SeccompProfile = runtimeDefault }),
			policy:  annotate(seccompAllowedAnnotation, "runtime/default"),
			exceeds: []string{seccompField + ": no profile at pod level or in a container" + byWeb},
		},
		{
			name: "seccomp by default", pod: podtest.Pod(),
			policy: func(p *writtenPolicy) {
				p.Annotations = map[string]string{seccompAllowedAnnotation: "runtime/default", seccompDefaultAnnotation: "docker/default"}
			},
			changed: []string{annotationField(seccompDefaultAnnotation) + ": sets 'docker/default' for shop Deployment/web"},
		},
		{
			name: "AppArmor unset", pod: podtest.Pod(),
			policy:  annotate(appArmorAllowedAnnotation, "runtime/default"),
			exceeds: []string{appArmorField + ": no profile" + byWeb + " (container c)"},
		},
		{
			name: "AppArmor", pod: appArmor,
			policy:  annotate(appArmorAllowedAnnotation, "unconfined,localhost/a"),
			tighter: []string{appArmorField + ": 'localhost/a' is not needed"},
		},
		{
			name: "AppArmor by default", pod: podtest.Pod(),
			policy: func(p *writtenPolicy) {
				p.Annotations[appArmorAllowedAnnotation], p.Annotations[appArmorDefaultAnnotation] = "runtime/default", "runtime/default"
			},
			changed: []string{annotationField(appArmorDefaultAnnotation) + ": sets 'runtime/default' for shop Deployment/web (container c)"},
		},
	})
}
