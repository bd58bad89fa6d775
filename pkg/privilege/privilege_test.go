package privilege_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var leastLines = []string{"group 1000", "runtimeClass gvisor", "user 1000"}

// linesOf returns what a pod asks for, ephemeral containers included, with the
// container in front.
func linesOf(pod *corev1.Pod) []string {
	var lines []string
	for _, a := range privilege.Of(pod, true) {
		line := a.Line
		if a.Container != "" {
			line = a.Container + ": " + line
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

func setOf(pod *corev1.Pod) privilege.Set {
	var lines []string
	for _, a := range privilege.Of(pod, true) {
		lines = append(lines, a.Line)
	}
	return privilege.SetOf(lines...)
}

func spec(tweak func(*corev1.PodSpec)) func(*corev1.Pod) {
	return func(p *corev1.Pod) { tweak(&p.Spec) }
}

func security(tweak func(*corev1.SecurityContext)) func(*corev1.Pod) { return podtest.Security(tweak) }

func podSecurity(tweak func(*corev1.PodSecurityContext)) func(*corev1.Pod) {
	return podtest.PodSecurity(tweak)
}

func capabilities(add, drop []corev1.Capability) func(*corev1.Pod) {
	return security(func(sc *corev1.SecurityContext) { sc.Capabilities = &corev1.Capabilities{Add: add, Drop: drop} })
}

func windowsPod(p *corev1.Pod) {
	p.Spec.OS = &corev1.PodOS{Name: corev1.Windows}
	p.Spec.HostUsers, p.Spec.SecurityContext, p.Spec.Containers[0].SecurityContext = nil, nil, nil
}

// What each field makes a pod ask for beyond the least.
func TestOf(t *testing.T) {
	for _, tc := range []struct {
		name  string
		tweak func(*corev1.Pod)
		// want are the lines that are added, or removed with a leading "-".
		want []string
	}{
		{"the least", func(*corev1.Pod) {}, nil},
		{"host namespaces", spec(func(s *corev1.PodSpec) { s.HostNetwork, s.HostPID, s.HostIPC = true, true, true }), []string{"hostIPC", "hostNetwork", "hostPID"}},
		{"users of the host", spec(func(s *corev1.PodSpec) { s.HostUsers = new(true) }), []string{"hostUsers"}},
		{"users of the host by default", spec(func(s *corev1.PodSpec) { s.HostUsers = nil }), []string{"hostUsers"}},
		{"shared process namespace", spec(func(s *corev1.PodSpec) { s.ShareProcessNamespace = new(true) }), []string{"shareProcessNamespace"}},
		{"unset runtime class", spec(func(s *corev1.PodSpec) { s.RuntimeClassName = nil }), []string{"-runtimeClass gvisor", "default runtimeClass"}},
		{"sysctl", podSecurity(func(sc *corev1.PodSecurityContext) { sc.Sysctls = []corev1.Sysctl{{Name: "kernel.msgmax", Value: "1"}} }), []string{"sysctl kernel.msgmax"}},
		{"privileged", security(func(sc *corev1.SecurityContext) { sc.Privileged = new(true) }), []string{"c: privileged"}},
		{"privilege escalation by default", security(func(sc *corev1.SecurityContext) { sc.AllowPrivilegeEscalation = nil }), []string{"c: allowPrivilegeEscalation"}},
		{"root file system by default", security(func(sc *corev1.SecurityContext) { sc.ReadOnlyRootFilesystem = nil }), []string{"c: writable root file system"}},
		{"default capabilities", capabilities(nil, nil), []string{"c: default capabilities"}},
		{"no capabilities at all", security(func(sc *corev1.SecurityContext) { sc.Capabilities = nil }), []string{"c: default capabilities"}},
		{"one dropped", capabilities(nil, []corev1.Capability{"net_raw"}), []string{
			"c: capability AUDIT_WRITE", "c: capability CHOWN", "c: capability DAC_OVERRIDE", "c: capability FOWNER", "c: capability FSETID",
			"c: capability KILL", "c: capability MKNOD", "c: capability NET_BIND_SERVICE", "c: capability SETFCAP", "c: capability SETGID",
			"c: capability SETPCAP", "c: capability SETUID", "c: capability SYS_CHROOT",
		}},
		{"dropping what none has", capabilities(nil, []corev1.Capability{"SYS_ADMIN", "CAP_CHOWN"}), []string{"c: default capabilities"}},
		{"all in lower case", capabilities(nil, []corev1.Capability{"all"}), nil},
		{"added", capabilities([]corev1.Capability{"NET_ADMIN", "cap_sys_admin"}, []corev1.Capability{"ALL", "NET_ADMIN"}), []string{"c: capability NET_ADMIN", "c: capability SYS_ADMIN"}},
		{"an S that is none", capabilities([]corev1.Capability{"ſys_admin"}, []corev1.Capability{"ALL"}), []string{"c: capability ſYS_ADMIN"}},
		{"host ports", podtest.Container(func(c *corev1.Container) {
			c.Ports = []corev1.ContainerPort{{ContainerPort: 80}, {HostPort: 80}, {HostPort: 53, Protocol: "UDP", HostIP: "127.0.0.1"}}
		}), []string{"c: hostPort 53/UDP on 127.0.0.1", "c: hostPort 80/TCP"}},
		{"probes and hooks", podtest.Container(func(c *corev1.Container) {
			c.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(80)}}}
			c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: "10.0.0.1"}}}
			c.StartupProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: "a"}}}
			c.Lifecycle = &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Host: "b"}}, PreStop: &corev1.LifecycleHandler{TCPSocket: &corev1.TCPSocketAction{Host: "c"}}}
		}), []string{"c: probe host 10.0.0.1", "c: probe host a", "c: probe host b", "c: probe host c"}},
		{"root", security(func(sc *corev1.SecurityContext) { sc.RunAsUser, sc.RunAsGroup = new(int64(0)), new(int64(0)) }), []string{"-c: group 1000", "-c: user 1000", "c: root group", "c: root user"}},
		{"users of the image", podSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsUser, sc.RunAsGroup = nil, nil }), []string{"-c: group 1000", "-c: user 1000", "c: image group", "c: image user root"}},
		{"not root", podSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsUser, sc.RunAsNonRoot = nil, new(true) }), []string{"-c: user 1000", "c: image user"}},
		{"the container's own settings", podtest.Container(podtest.Context(func(sc *corev1.SecurityContext) { sc.RunAsUser, sc.RunAsGroup = new(int64(1)), new(int64(2)) })), []string{"-c: group 1000", "-c: user 1000", "c: group 2", "c: user 1"}},
		{"groups", podSecurity(func(sc *corev1.PodSecurityContext) {
			sc.FSGroup, sc.SupplementalGroups, sc.SupplementalGroupsPolicy = new(int64(0)), []int64{7}, nil
		}), []string{"fsGroup 0", "image groups", "supplementalGroup 7"}},
		{"no seccomp profile", podSecurity(func(sc *corev1.PodSecurityContext) { sc.SeccompProfile = nil }), []string{"c: no seccomp profile"}},
		{"a seccomp annotation means nothing", func(p *corev1.Pod) {
			p.Spec.SecurityContext.SeccompProfile = nil
			podtest.Annotate(corev1.SeccompPodAnnotationKey, "runtime/default")(p)
		}, []string{"c: no seccomp profile"}},
		{"unconfined pod, confined container", func(p *corev1.Pod) {
			p.Spec.SecurityContext.SeccompProfile = podtest.Seccomp("unconfined")
			p.Spec.Containers[0].SecurityContext.SeccompProfile = podtest.Seccomp("localhost/a\nb")
		}, []string{"c: seccomp localhost/a\\nb", "seccomp unconfined"}},
		{"AppArmor by field", podSecurity(func(sc *corev1.PodSecurityContext) {
			sc.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
		}), []string{"c: appArmor unconfined"}},
		{"the annotation precedes the pod's field", func(p *corev1.Pod) {
			p.Spec.SecurityContext.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
			podtest.Annotate(corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+"c", "localhost/p")(p)
		}, []string{"c: appArmor localhost/p"}},
		{"the container's field precedes the annotation", func(p *corev1.Pod) {
			p.Spec.Containers[0].SecurityContext.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: new("q")}
			podtest.Annotate(corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+"c", "unconfined")(p)
		}, []string{"c: appArmor localhost/q"}},
		{"SELinux", func(p *corev1.Pod) {
			p.Spec.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{}
			p.Spec.Containers[0].SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{User: "u role=r", Level: "s0:c1"}
		}, []string{`c: seLinux user=u\ role=r level=s0:c1`, "seLinux"}},
		{"procMount", security(func(sc *corev1.SecurityContext) { sc.ProcMount = new(corev1.UnmaskedProcMount) }), []string{"c: procMount Unmasked"}},
		{"volumes", func(p *corev1.Pod) {
			podtest.Volume("e", corev1.VolumeSource{}, nil)(p)
			podtest.Volume("t", podtest.Token(), &corev1.VolumeMount{})(p)
			podtest.Volume("p", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{}}}}}, &corev1.VolumeMount{})(p)
			podtest.Volume("fc", corev1.VolumeSource{FC: &corev1.FCVolumeSource{}}, nil)(p)
			podtest.Volume("csi", corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "d"}}, nil)(p)
			podtest.Volume("flex", corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: "d/f"}}, nil)(p)
		}, []string{"c: volume projected", "csi d", "flexVolume d/f", "volume emptyDir", "volume fc", "volume serviceAccountToken"}},
		{"host paths", func(p *corev1.Pod) {
			podtest.Volume("unmounted", podtest.HostPath("/a"), nil)(p)
			podtest.Volume("read", podtest.HostPath("/b\n[x]"), &corev1.VolumeMount{ReadOnly: true})(p)
			podtest.Volume("write", podtest.HostPath("/c"), &corev1.VolumeMount{})(p)
			podtest.Init("i", podtest.Mount("write", corev1.VolumeMount{ReadOnly: true}))(p)
			p.Spec.InitContainers[0].SecurityContext = p.Spec.Containers[0].SecurityContext
		}, []string{"c: hostPath /b\\n[x]", "c: write hostPath /c", "hostPath /a", "i: group 1000", "i: user 1000"}},
		{"mount propagation", func(p *corev1.Pod) {
			podtest.Volume("v", corev1.VolumeSource{}, &corev1.VolumeMount{MountPropagation: new(corev1.MountPropagationBidirectional)})(p)
			podtest.Volume("w", corev1.VolumeSource{}, &corev1.VolumeMount{MountPropagation: new(corev1.MountPropagationNone)})(p)
		}, []string{"c: mountPropagation Bidirectional", "c: volume emptyDir"}},
		{"a debug container", podtest.Ephemeral("e"), []string{
			"e: allowPrivilegeEscalation", "e: default capabilities", "e: group 1000", "e: user 1000", "e: writable root file system",
		}},
		{"Windows", windowsPod, []string{"-c: group 1000", "-c: user 1000", "c: image user root"}},
		{"Windows options", func(p *corev1.Pod) {
			windowsPod(p)
			p.Spec.SecurityContext = &corev1.PodSecurityContext{WindowsOptions: &corev1.WindowsSecurityContextOptions{HostProcess: new(true), RunAsUserName: new("Administrator")}}
			p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{WindowsOptions: &corev1.WindowsSecurityContextOptions{RunAsUserName: new("ContainerUser")}}
		}, []string{"-c: group 1000", "-c: user 1000", "c: windows hostProcess", "c: windows user ContainerUser"}},
		{"Windows options in a pod for any system", security(func(sc *corev1.SecurityContext) {
			sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{HostProcess: new(true)}
		}), []string{"c: windows hostProcess"}},
		{"a GMSA credential spec has no line", func(p *corev1.Pod) {
			windowsPod(p)
			podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
				sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{GMSACredentialSpecName: new("x"), GMSACredentialSpec: new("{}")}
			})(p)
		}, []string{"-c: group 1000", "-c: user 1000", "c: image user root"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pod := podtest.Least(tc.tweak)
			before := pod.DeepCopy()
			got := linesOf(pod)
			if diff := cmp.Diff(before, pod); diff != "" {
				t.Errorf("the pod has changed:\n%s", diff)
			}
			base := linesOf(podtest.Least())
			var changes []string
			for _, line := range base {
				if !slices.Contains(got, line) {
					changes = append(changes, "-"+line)
				}
			}
			for _, line := range got {
				if !slices.Contains(base, line) {
					changes = append(changes, line)
				}
			}
			if diff := cmp.Diff(tc.want, changes); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff(leastLines, setOf(podtest.Least()).Lines()); diff != "" {
		t.Errorf("the least (-want +got):\n%s", diff)
	}
}

func TestUnder(t *testing.T) {
	for _, tc := range []struct {
		line, permitted string
		want            bool
	}{
		{"hostPath /var/log", "hostPath /var/log", true},
		{"hostPath /var/log/pods", "hostPath /var/log", true},
		{"hostPath /var/logs", "hostPath /var/log", false},
		{"hostPath /var", "hostPath /var/log", false},
		{"hostPath /var/log/", "hostPath /var/log", true},
		{"hostPath /var/log", "hostPath /var/log/", false},
		{"hostPath /etc", "hostPath /", true},
		{"write hostPath /etc", "hostPath /", false},
		{"hostPath /etc", "write hostPath /etc", true},
		{"hostPath /etc/ssl", "write hostPath /etc", true},
		{"write hostPath /etc/ssl", "write hostPath /etc", true},
		{"write hostPath /etcd", "write hostPath /etc", false},
		{"hostPort 80/TCP on 10.0.0.1", "hostPort 80/TCP", true},
		{"hostPort 80/TCP", "hostPort 80/TCP on 10.0.0.1", false},
		{"hostPort 80/UDP", "hostPort 80/TCP", false},
		{"hostPort 8080/TCP", "hostPort 80/TCP", false},
		{"user 1000", "image user", true},
		{"user 1000", "image user root", true},
		{"image user", "image user root", true},
		{"image user root", "image user", false},
		{"root user", "image user root", false},
		{"user 1000", "user 100", false},
		{"group 5", "image group", true},
		{"root group", "image group", false},
		{"image groups", "image group", false},
		{"no seccomp profile", "seccomp unconfined", true},
		{"seccomp localhost/p", "seccomp unconfined", true},
		{"seccomp localhost/p", "no seccomp profile", false},
		{"seccomp unconfined", "no seccomp profile", false},
		{"appArmor localhost/p", "appArmor unconfined", true},
		{"volume serviceAccountToken", "volume projected", true},
		{"volume projected", "volume serviceAccountToken", false},
		{"mountPropagation HostToContainer", "mountPropagation Bidirectional", true},
		{"capability CHOWN", "default capabilities", true},
		{"capability NET_ADMIN", "default capabilities", false},
		{"capability NET_ADMIN", "capability ALL", true},
		{"default capabilities", "capability ALL", true},
		{"capability ALL", "privileged", true},
		{"allowPrivilegeEscalation", "privileged", true},
		{"procMount Unmasked", "privileged", true},
		{"seccomp unconfined", "privileged", true},
		{"hostPath /", "privileged", false},
		{"root user", "privileged", false},
		{"hostNetwork", "privileged", false},
		{"privileged", "capability ALL", false},
		{"default runtimeClass", "runtimeClass x", false},
	} {
		if got := privilege.Under(tc.line, tc.permitted); got != tc.want {
			t.Errorf("%q under %q: %t", tc.line, tc.permitted, got)
		}
	}
}

// All default capabilities are one line, however they come together.
func TestDefaultCapabilities(t *testing.T) {
	var first, rest []string
	for i, c := range privilege.DefaultCapabilities {
		if i == 0 {
			first = append(first, "capability "+c)
		} else {
			rest = append(rest, "capability "+c)
		}
	}
	all := privilege.SetOf("default capabilities")
	if union := privilege.Union(privilege.SetOf(first...), privilege.SetOf(rest...)); !union.Equal(all) {
		t.Errorf("the union is %q", union.Lines())
	}
	if excess := privilege.SetOf(rest...).Excess(all); !slices.Equal(excess, first) {
		t.Errorf("the excess is %q", excess)
	}
	if excess := (privilege.Set{}).Excess(all); !slices.Equal(excess, []string{"default capabilities"}) {
		t.Errorf("the excess over nothing is %q", excess)
	}
}

// steps tighten one field of a pod by one step, if there is anything to tighten.
func steps() map[string]func(*corev1.Pod) {
	container := func(tweak func(*corev1.SecurityContext)) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			for c := range podtest.Containers(&p.Spec) {
				podtest.Context(tweak)(c)
			}
		}
	}
	return map[string]func(*corev1.Pod){
		"hostNetwork":           spec(func(s *corev1.PodSpec) { s.HostNetwork = false }),
		"hostPID":               spec(func(s *corev1.PodSpec) { s.HostPID = false }),
		"hostIPC":               spec(func(s *corev1.PodSpec) { s.HostIPC = false }),
		"hostUsers":             spec(func(s *corev1.PodSpec) { s.HostUsers = new(false) }),
		"shareProcessNamespace": spec(func(s *corev1.PodSpec) { s.ShareProcessNamespace = nil }),
		"sysctls":               podSecurity(func(sc *corev1.PodSecurityContext) { sc.Sysctls = nil }),
		"fsGroup":               podSecurity(func(sc *corev1.PodSecurityContext) { sc.FSGroup = nil }),
		"supplementalGroups":    podSecurity(func(sc *corev1.PodSecurityContext) { sc.SupplementalGroups = nil }),
		"supplementalGroupsPolicy": podSecurity(func(sc *corev1.PodSecurityContext) {
			sc.SupplementalGroupsPolicy = new(corev1.SupplementalGroupsPolicyStrict)
		}),
		"privileged":               container(func(sc *corev1.SecurityContext) { sc.Privileged = nil }),
		"allowPrivilegeEscalation": container(func(sc *corev1.SecurityContext) { sc.AllowPrivilegeEscalation = new(false) }),
		"readOnlyRootFilesystem":   container(func(sc *corev1.SecurityContext) { sc.ReadOnlyRootFilesystem = new(true) }),
		"capabilities": container(func(sc *corev1.SecurityContext) {
			sc.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
		}),
		"procMount":    container(func(sc *corev1.SecurityContext) { sc.ProcMount = nil }),
		"runAsNonRoot": container(func(sc *corev1.SecurityContext) { sc.RunAsNonRoot = new(true) }),
		"windowsOptions": container(func(sc *corev1.SecurityContext) {
			if sc.WindowsOptions == nil {
				sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{}
			}
			sc.WindowsOptions.HostProcess = new(false) // without the user's name it would be the pod's
		}),
		"seccompProfile": container(func(sc *corev1.SecurityContext) { sc.SeccompProfile = podtest.Seccomp("runtime/default") }),
		"appArmorProfile": container(func(sc *corev1.SecurityContext) {
			sc.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
		}),
		"seLinuxOptions": container(func(sc *corev1.SecurityContext) { sc.SELinuxOptions = nil }),
		"volumes": func(p *corev1.Pod) {
			p.Spec.Volumes = nil
			for c := range podtest.Containers(&p.Spec) {
				c.VolumeMounts = nil
			}
		},
		"readOnly": func(p *corev1.Pod) {
			for c := range podtest.Containers(&p.Spec) {
				for i := range c.VolumeMounts {
					c.VolumeMounts[i].ReadOnly, c.VolumeMounts[i].MountPropagation = true, nil
				}
			}
		},
		"ports": func(p *corev1.Pod) {
			for c := range podtest.Containers(&p.Spec) {
				c.Ports, c.LivenessProbe = nil, nil
			}
		},
		"containers": func(p *corev1.Pod) { p.Spec.InitContainers, p.Spec.EphemeralContainers = nil, nil },
	}
}

// Who tightens a field of a pod asks for nothing new; each step makes some pod ask for
// less.
func TestTighterPodsAskForLess(t *testing.T) {
	r := podtest.Rand(t)
	less := map[string]bool{}
	for range 3000 {
		pod := podtest.Random(r)
		before := setOf(pod)
		for name, step := range steps() {
			tighter := pod.DeepCopy()
			step(tighter)
			after := setOf(tighter)
			if excess := before.Excess(after); len(excess) > 0 {
				t.Fatalf("%s: a tighter pod asks for %q beside %q", name, excess, before.Lines())
			}
			less[name] = less[name] || !after.Equal(before)
		}
	}
	for name := range steps() {
		if !less[name] {
			t.Errorf("%s: no pod asked for less", name)
		}
	}
}

// The laws of sets, on sets of random pods and parts of them.
func TestLaws(t *testing.T) {
	r := podtest.Rand(t)
	random := func() privilege.Set {
		lines := setOf(podtest.Random(r)).Lines()
		return privilege.SetOf(lines[:r.IntN(len(lines)+1)]...)
	}
	permitted := 0
	for range 5000 {
		a, b, c := random(), random(), random()
		if r.IntN(2) == 0 {
			a = privilege.Union(a, b)
		}
		switch {
		case !privilege.Union(a, b).Equal(privilege.Union(b, a)):
			t.Fatalf("not commutative: %q %q", a, b)
		case !privilege.Union(privilege.Union(a, b), c).Equal(privilege.Union(a, privilege.Union(b, c))):
			t.Fatalf("not associative: %q %q %q", a, b, c)
		case !privilege.Union(a, a).Equal(a) || !privilege.Union(a, privilege.Set{}).Equal(a):
			t.Fatalf("not idempotent, or the empty set is no identity: %q", a)
		case !privilege.Union(a, b).Permits(a) || !a.Permits(a) || !a.Permits(privilege.Set{}):
			t.Fatalf("a union does not permit its parts: %q %q", a, b)
		case a.Permits(b) != privilege.Union(a, b).Equal(a):
			t.Fatalf("Permits is %t: %q %q", a.Permits(b), a, b)
		case a.Permits(b) && b.Permits(c) && !a.Permits(c):
			t.Fatalf("not transitive: %q %q %q", a, b, c)
		case a.Permits(b) && b.Permits(a) != a.Equal(b):
			t.Fatalf("two forms of one set: %q %q", a, b)
		}
		if a.Permits(b) {
			permitted++
		}
		// No line of the canonical form can go.
		for i, line := range a.Lines() {
			if privilege.SetOf(slices.Delete(slices.Clone(a.Lines()), i, i+1)...).Permits(a) {
				t.Fatalf("%q is not needed in %q", line, a)
			}
		}
	}
	if permitted == 0 || permitted == 5000 {
		t.Errorf("%d of 5000 were permitted: the test saw one side only", permitted)
	}
}

// The nearest of sets is the first that the least goes beyond.
func TestNearest(t *testing.T) {
	r := podtest.Rand(t)
	for range 300 {
		asked := setOf(podtest.Random(r))
		var sets []privilege.Set
		for range r.IntN(4) {
			sets = append(sets, setOf(podtest.Random(r)))
		}
		var want privilege.Set
		for i, s := range sets {
			if !slices.ContainsFunc(sets[:i], func(o privilege.Set) bool { return len(o.Excess(asked)) <= len(s.Excess(asked)) }) &&
				!slices.ContainsFunc(sets[i:], func(o privilege.Set) bool { return len(o.Excess(asked)) < len(s.Excess(asked)) }) {
				want = s
			}
		}
		if got := privilege.Nearest(sets, asked); !got.Equal(want) {
			t.Fatalf("got %q, want %q", got.Lines(), want.Lines())
		}
	}
}

// Under is an order among all lines of random pods: what is under a line is permitted
// by it and by whatever permits that.
func TestUnderIsTransitive(t *testing.T) {
	r := podtest.Rand(t)
	seen := map[string]bool{"seccomp unconfined": true, "image user": true, "capability ALL": true, "privileged": true, "mountPropagation Bidirectional": true}
	for range 500 {
		for _, a := range privilege.Of(podtest.Random(r), true) {
			seen[a.Line] = true
			if !privilege.Valid(a.Line) {
				t.Fatalf("%q is not valid", a.Line)
			}
		}
	}
	for _, line := range []string{
		"hostPath /", "write hostPath /", "hostPath /a", "hostPath /a/", "hostPath /a//b", "write hostPath /a/b/c", "hostPath a/b", "hostPath a",
		"hostPath ", "write hostPath ", "hostPort 80", "hostPort 80 on 127.0.0.1", "hostPort 8", "user 0", "group 1", "image group", "default capabilities",
	} {
		seen[line] = true
	}
	above := map[string][]string{}
	for line := range seen {
		for other := range seen {
			under := privilege.Under(line, other)
			// A set finds what permits a line without comparing it with each of its own.
			if got := privilege.SetOf(other, "hostIPC", "write hostPath /zz").Permits(privilege.SetOf(line)); got != under && line != "hostIPC" && line != "write hostPath /zz" {
				t.Errorf("a set of %q permits %q: %t, want %t", other, line, got, under)
			}
			if line != other && under {
				above[line] = append(above[line], other)
				if privilege.Under(other, line) {
					t.Errorf("%q and %q are under each other", line, other)
				}
			}
		}
	}
	for line, others := range above {
		for _, other := range others {
			for _, top := range above[other] {
				if !privilege.Under(line, top) {
					t.Errorf("%q is under %q, which is under %q", line, other, top)
				}
			}
		}
	}
}

func TestValid(t *testing.T) {
	for line, want := range map[string]bool{
		"hostNetwork": true, "hostPath /": true, "seLinux": true, "image user": true, "image user root": true,
		"": false, "hostNetwork ": false, "# hostNetwork": false, "[web]": false, "hostPath": false, "hostPath /\n[x]": false, "*": false,
	} {
		if got := privilege.Valid(line); got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
}

// Two values that differ never have the same line, and a line is one line.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"", "a", "\n", "a\nb", `a\nb`, `\`, `\\`, "a role=b", `a\ role=b`, "a\\ role=b type=c", "/a/../b", "é", "\x00"} {
		f.Add(s, "b", "a", s)
	}
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		one, two := lineOf(a, b), lineOf(c, d)
		for _, line := range append(one, two...) {
			if strings.Contains(line, "\n") {
				t.Errorf("%q has two lines", line)
			}
		}
		if same := a == c && b == d; slices.Equal(one, two) != same {
			t.Errorf("%q and %q: %q, %q and %q: %q", a, b, one, c, d, two)
		}
		if a != c && slices.Equal(pathLine(a), pathLine(c)) {
			t.Errorf("%q and %q: %q", a, c, pathLine(a))
		}
	})
}

func lineOf(user, role string) []string {
	return setOf(podtest.Least(podSecurity(func(sc *corev1.PodSecurityContext) {
		sc.SELinuxOptions = &corev1.SELinuxOptions{User: user, Role: role}
	}))).Lines()
}

func pathLine(path string) []string {
	return setOf(podtest.Least(podtest.Volume("v", podtest.HostPath(path), nil))).Lines()
}
