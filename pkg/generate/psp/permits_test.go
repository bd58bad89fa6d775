package psp

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// addition makes a pod ask for one more line.
type addition struct {
	line string
	pod  func(*corev1.Pod)
}

// restricted are lines that policies restrict, each with a value that no random pod has;
// unrestrictedAdditions are the others.
var restricted = []addition{
	{"privileged", podtest.Security(func(s *corev1.SecurityContext) { s.Privileged, s.AllowPrivilegeEscalation = new(true), nil })},
	{"hostNetwork", func(p *corev1.Pod) { p.Spec.HostNetwork = true }},
	{"hostPID", func(p *corev1.Pod) { p.Spec.HostPID = true }},
	{"hostIPC", func(p *corev1.Pod) { p.Spec.HostIPC = true }},
	{"hostPort 4321/TCP", podtest.Container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{HostPort: 4321}} })},
	{"allowPrivilegeEscalation", podtest.Security(func(s *corev1.SecurityContext) { s.AllowPrivilegeEscalation = nil })},
	{"allowPrivilegeEscalation", podtest.Security(func(s *corev1.SecurityContext) { s.AllowPrivilegeEscalation = new(true) })},
	{"writable root file system", podtest.Security(func(s *corev1.SecurityContext) { s.ReadOnlyRootFilesystem = nil })},
	{"writable root file system", podtest.Security(func(s *corev1.SecurityContext) { s.ReadOnlyRootFilesystem = new(false) })},
	{"capability SYS_TIME", podtest.Security(func(s *corev1.SecurityContext) {
		s.Capabilities = &corev1.Capabilities{Add: []corev1.Capability{"SYS_TIME"}, Drop: []corev1.Capability{"ALL"}}
	})},
	{defaultCapabilities, podtest.Security(func(s *corev1.SecurityContext) { s.Capabilities = nil })},
	{"volume azureDisk", podtest.Volume("own", corev1.VolumeSource{AzureDisk: &corev1.AzureDiskVolumeSource{}}, nil)},
	{"hostPath /own", podtest.Volume("own", podtest.HostPath("/own"), nil)},
	{"write hostPath /own", podtest.Volume("own", podtest.HostPath("/own"), &corev1.VolumeMount{})},
	{"csi own", podtest.Volume("own", corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "own"}}, nil)},
	{"flexVolume own", podtest.Volume("own", corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: "own"}}, nil)},
	{"sysctl kernel.own", podSecurityOf(func(s *corev1.PodSecurityContext) { s.Sysctls = []corev1.Sysctl{{Name: "kernel.own"}} })},
	{"sysctl net.ipv4.tcp_syncookies", podSecurityOf(func(s *corev1.PodSecurityContext) { s.Sysctls = []corev1.Sysctl{{Name: "net.ipv4.tcp_syncookies"}} })},
	{"procMount Unmasked", podtest.Security(func(s *corev1.SecurityContext) { s.ProcMount = new(corev1.UnmaskedProcMount) })},
	{"runtimeClass own", func(p *corev1.Pod) { p.Spec.RuntimeClassName = new("own") }},
	{"user 4321", podtest.Security(func(s *corev1.SecurityContext) { s.RunAsUser = new(int64(4321)) })},
	{"root user", podtest.Security(func(s *corev1.SecurityContext) { s.RunAsUser = new(int64(0)) })},
	{"image user root", func(p *corev1.Pod) {
		podSecurityOf(func(s *corev1.PodSecurityContext) { s.RunAsUser, s.RunAsNonRoot = nil, nil })(p)
		podtest.Security(func(s *corev1.SecurityContext) { s.RunAsUser, s.RunAsNonRoot = nil, nil })(p)
	}},
	{"group 4321", podtest.Security(func(s *corev1.SecurityContext) { s.RunAsGroup = new(int64(4321)) })},
	{"root group", podtest.Security(func(s *corev1.SecurityContext) { s.RunAsGroup = new(int64(0)) })},
	{"fsGroup 4321", podSecurityOf(func(s *corev1.PodSecurityContext) { s.FSGroup = new(int64(4321)) })},
	{"supplementalGroup 4321", podSecurityOf(func(s *corev1.PodSecurityContext) { s.SupplementalGroups = []int64{4321} })},
	{"seccomp unconfined", podtest.Security(func(s *corev1.SecurityContext) { s.SeccompProfile = podtest.Seccomp("unconfined") })},
	{"seccomp localhost/own", podtest.Security(func(s *corev1.SecurityContext) { s.SeccompProfile = podtest.Seccomp("localhost/own") })},
	{"no seccomp profile", func(p *corev1.Pod) {
		podSecurityOf(func(s *corev1.PodSecurityContext) { s.SeccompProfile = nil })(p)
		podtest.Security(func(s *corev1.SecurityContext) { s.SeccompProfile = nil })(p)
	}},
}

var unrestrictedAdditions = []addition{
	{"hostUsers", func(p *corev1.Pod) { p.Spec.HostUsers = nil }},
	{"shareProcessNamespace", func(p *corev1.Pod) { p.Spec.ShareProcessNamespace = new(true) }},
	{"image groups", podSecurityOf(func(s *corev1.PodSecurityContext) { s.SupplementalGroupsPolicy = nil })},
	{"probe host own", podtest.Container(func(c *corev1.Container) {
		c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: "own"}}}
	})},
	{"windows user own", podtest.Security(func(s *corev1.SecurityContext) {
		s.WindowsOptions = &corev1.WindowsSecurityContextOptions{RunAsUserName: new("own")}
	})},
	{"windows hostProcess", podtest.Security(func(s *corev1.SecurityContext) {
		s.WindowsOptions = &corev1.WindowsSecurityContextOptions{HostProcess: new(true)}
	})},
	{"appArmor unconfined", podtest.Security(func(s *corev1.SecurityContext) {
		s.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
	})},
	{"default runtimeClass", func(p *corev1.Pod) { p.Spec.RuntimeClassName = nil }},
	{"seLinux type=own", podSecurityOf(func(s *corev1.PodSecurityContext) { s.SELinuxOptions = &corev1.SELinuxOptions{Type: "own"} })},
}

func podSecurityOf(tweak func(*corev1.PodSecurityContext)) func(*corev1.Pod) {
	return podtest.PodSecurity(tweak)
}

// writtenOf reads the policies of members back, with their RBAC.
func writtenOf(t *testing.T, members []aggregate.Member, level aggregate.Level) *Written {
	t.Helper()
	w := &Written{}
	for _, o := range Engine().Outputs(members, level) {
		for _, object := range o.Objects() {
			data, err := json.Marshal(object.Value)
			if err != nil {
				t.Fatal(err)
			}
			var kind metav1.TypeMeta
			if err := json.Unmarshal(data, &kind); err != nil {
				t.Fatal(err)
			}
			if err := w.Read(kind, func(into any) error { return json.Unmarshal(data, into) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

// excessOf returns what each pod of a member asks for beyond the nearest policy.
func excessOf(w *Written, m aggregate.Member) []string {
	var all []string
	permits := w.Permits(m.Workload.Namespace, m.ServiceAccount)
	for _, pod := range m.Profile.PodPrivileges.Values() {
		asked := privilege.SetOf(pod...)
		all = append(all, privilege.Nearest(permits, asked).Excess(asked)...)
	}
	return all
}

// confinedFleet returns random workloads and their pods, without what lines and admission
// in 1.24 read otherwise: annotations of seccomp, fields of AppArmor, and volumes that no
// policy admits.
func confinedFleet(r *rand.Rand) ([]aggregate.Member, []*corev1.Pod) {
	var f aggregate.Fleet
	var pods []*corev1.Pod
	for range 1 + r.IntN(8) {
		pod := podtest.Random(r)
		for key := range pod.Annotations {
			if key == corev1.SeccompPodAnnotationKey || strings.HasPrefix(key, corev1.SeccompContainerAnnotationKeyPrefix) {
				delete(pod.Annotations, key)
			}
		}
		if sc := pod.Spec.SecurityContext; sc != nil {
			sc.AppArmorProfile = nil
		}
		for c := range podtest.Containers(&pod.Spec) {
			if c.SecurityContext != nil {
				c.SecurityContext.AppArmorProfile = nil
			}
		}
		pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Image != nil })
		pods = append(pods, pod)
		f.Add(aggregate.Pod{
			Workload:       aggregate.Workload{Namespace: podtest.Pick(r, "shop", "infra"), Group: "apps", Kind: "Deployment", Name: podtest.Pick(r, "a", "b", "c")},
			ServiceAccount: podtest.Pick(r, "default", "one"), Profile: profile.Of(pod, profile.Options{}),
		})
	}
	return f.Members(), pods
}

func TestPermitsAddition(t *testing.T) {
	var f aggregate.Fleet
	f.Add(podOf("web", "default", podtest.Least()))
	w := writtenOf(t, f.Members(), aggregate.ByWorkload)
	for _, list := range []struct {
		additions []addition
		shown     bool
	}{{restricted, true}, {unrestrictedAdditions, false}} {
		for _, add := range list.additions {
			t.Run(add.line, func(t *testing.T) {
				var head aggregate.Fleet
				head.Add(podOf("web", "default", podtest.Least(add.pod)))
				asked := head.Members()[0].Profile.Privileges
				if !asked.Has(profile.Name(add.line)) {
					t.Fatalf("the pod does not ask for it: %s", asked.Values())
				}
				var want []string
				if list.shown {
					want = []string{add.line}
				}
				if diff := cmp.Diff(want, excessOf(w, head.Members()[0]), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// Laws over random fleets: the policies of pods permit what the pods ask for, and one more
// line exactly if admission lets the pod have it.
func TestPermitsLaws(t *testing.T) {
	r := podtest.Rand(t)
	permitted, shown := 0, map[string]int{}
	for range 60 {
		members, pods := confinedFleet(r)
		for _, level := range aggregate.Levels() {
			w := writtenOf(t, members, level)
			for _, m := range members {
				if excess := excessOf(w, m); len(excess) > 0 {
					t.Fatalf("%s: %s: %q is not permitted by its own policies", level, m.Workload, excess)
				}
			}
			for _, p := range policiesOf(members, level) {
				written, pod, add := asWritten(t, p), podtest.Pick(r, pods...), podtest.Pick(r, restricted...)
				more := pod.DeepCopy()
				add.pod(more)
				if add.line == defaultCapabilities {
					dropAbsent(written.Spec.RequiredDropCapabilities)(more)
				}
				asked := profile.Of(more, profile.Options{}).PodPrivileges.Values()[0]
				under := func(n profile.Name) bool { return privilege.Under(add.line, string(n)) }
				if !fits(written, pod) || !slices.Contains(asked, add.line) || p.Group.Profile().Privileges.Any(under) {
					continue
				}
				switch excess := written.permit().Excess(privilege.SetOf(asked...)); {
				case fits(written, more) != (len(excess) == 0):
					t.Fatalf("%s: admitted unchanged: %t, beyond the policy: %q\n%s\n%s", add.line, fits(written, more), excess, asJSON(t, p.Object), asJSON(t, more))
				case len(excess) == 0:
					permitted++
				case slices.Contains(excess, add.line) || add.line == defaultCapabilities:
					shown[add.line]++
				default:
					t.Fatalf("%s: only %q is beyond the policy", add.line, excess)
				}
			}
		}
	}
	t.Logf("%d permitted, shown: %v", permitted, shown)
	if permitted == 0 || len(shown) < 10 {
		t.Errorf("%d permitted, and only %d lines were shown", permitted, len(shown))
	}
}

const defaultCapabilities = "default capabilities"

// dropAbsent drops what a policy drops of the capabilities that no runtime gives: admission
// writes that into a pod, but no container has less for it.
func dropAbsent(required []corev1.Capability) func(*corev1.Pod) {
	return podtest.Security(func(s *corev1.SecurityContext) {
		for _, c := range required {
			name := strings.ToUpper(string(c))
			if name == all || slices.Contains(privilege.DefaultCapabilities, name) {
				continue
			}
			if s.Capabilities == nil {
				s.Capabilities = &corev1.Capabilities{}
			}
			s.Capabilities.Drop = append(s.Capabilities.Drop, c)
		}
	})
}

// fits reports whether a policy admits a pod and leaves it as it is.
func fits(p *writtenPolicy, pod *corev1.Pod) bool {
	var f aggregate.Fleet
	f.Add(podOf("web", "default", pod))
	return slices.Equal(compareOne(p, f.Members()).Outcomes, []Outcome{Fits})
}

// What policies permit that somebody else wrote.
func TestPermitsOfOthers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		policy func(*writtenPolicy)
		yes    []string
		no     []string
	}{
		{"everything", func(*writtenPolicy) {}, []string{
			"privileged", "capability ALL", "hostPath /", "write hostPath etc", "hostPort 1/UDP on ::1", "root user", "root group", "image user root", "fsGroup 0",
			"volume cephfs", "volume serviceAccountToken", "csi a", "flexVolume a", "sysctl a.b", "runtimeClass a", "default runtimeClass",
			"seLinux", "seLinux type=a", "no seccomp profile", "seccomp unconfined", "seccomp localhost/a", "appArmor unconfined", "appArmor localhost/a",
		}, []string{"volume image", "volume unknown"}},
		{"ranges", func(p *writtenPolicy) {
			p.Spec.HostPorts = []idRange{{80, 90}}
			p.Spec.RunAsUser = idRule{mustRunAs, []idRange{{0, 0}, {5, 7}}}
			p.Spec.RunAsGroup = &idRule{mayRunAs, []idRange{{5, 7}}}
			p.Spec.FSGroup = idRule{mustRunAs, []idRange{{0, 7}}}
		}, []string{"hostPort 90/TCP", "root user", "user 6", "image group", "fsGroup 0"}, []string{"hostPort 91/TCP", "user 8", "image user", "image user root", "root group", "fsGroup 8"}},
		{"no root", func(p *writtenPolicy) { p.Spec.RunAsUser = idRule{mustRunAsNonRoot, []idRange{{0, 0}}} }, []string{"image user", "user 5"}, []string{"image user root", "root user"}},
		{"paths", func(p *writtenPolicy) {
			p.Spec.AllowedHostPaths = []allowedHostPath{{"/var/", true}, {"/var/lib", false}, {"//", false}}
		}, []string{"hostPath /var", "hostPath /var/log", "write hostPath /var/lib/a", "hostPath /var/lib"}, []string{"write hostPath /var/log", "hostPath /variable", "hostPath /etc"}},
		{"no paths", func(p *writtenPolicy) { p.Spec.Volumes = []string{"secret"} }, []string{"volume serviceAccountToken"}, []string{"hostPath /", "csi a", "flexVolume a", "volume projected"}},
		{"capabilities", func(p *writtenPolicy) {
			p.Spec.AllowedCapabilities, p.Spec.RequiredDropCapabilities = []corev1.Capability{"CAP_SYS_TIME"}, []corev1.Capability{"chown", "CAP_KILL"}
		}, []string{"capability SYS_TIME", "capability KILL", "privileged"}, nil},
		{"capabilities of containers that are not privileged", func(p *writtenPolicy) {
			p.Spec.Privileged, p.Spec.AllowedCapabilities, p.Spec.RequiredDropCapabilities = false, []corev1.Capability{"CAP_SYS_TIME"}, []corev1.Capability{"chown", "CAP_KILL"}
		}, []string{"capability SYS_TIME", "capability KILL"}, []string{"capability CHOWN", "capability ALL", "capability SYS_ADMIN"}},
		{"sysctls", func(p *writtenPolicy) {
			p.Spec.AllowedUnsafeSysctls, p.Spec.ForbiddenSysctls = []string{"net.*", "kernel.sem"}, []string{"kernel.shm*"}
		}, []string{"sysctl net.a", "sysctl kernel.sem"}, []string{"sysctl kernel.sema", "sysctl kernel.shm_rmid_forced"}},
		{"SELinux", func(p *writtenPolicy) {
			p.Spec.SELinux = seLinuxRule{mustRunAs, &corev1.SELinuxOptions{Type: "a", Level: "s0:c1,c2"}}
		}, []string{"seLinux type=a level=s0:c2,c1"}, []string{"seLinux", "seLinux type=a", "seLinux type=b level=s0:c1,c2"}},
		{"profiles", func(p *writtenPolicy) {
			p.Spec.Privileged = false
			p.Annotations[seccompAllowedAnnotation] = "docker/default,localhost/a"
			p.Annotations[appArmorAllowedAnnotation] = "runtime/default,localhost/a"
		}, []string{"seccomp localhost/a", "appArmor localhost/a"}, []string{"seccomp unconfined", "no seccomp profile", "seccomp localhost/b", "appArmor unconfined", "appArmor localhost/b"}},
		{"a default profile", func(p *writtenPolicy) {
			p.Annotations = map[string]string{seccompAllowedAnnotation: "runtime/default", seccompDefaultAnnotation: "runtime/default"}
			p.Spec.Privileged = false
		}, nil, []string{"no seccomp profile"}},
		{"classes", func(p *writtenPolicy) {
			p.Spec.RuntimeClass, p.Spec.AllowedProcMountTypes = &writtenRuntimeClass{[]string{"a"}, new("a")}, nil
			p.Spec.Privileged = false
		}, []string{"runtimeClass a"}, []string{"runtimeClass b", "default runtimeClass", "procMount Unmasked"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := open()
			tc.policy(p)
			permit := p.permit()
			for _, line := range tc.yes {
				if excess := permit.Excess(privilege.SetOf(line)); len(excess) > 0 {
					t.Errorf("%q is not permitted", line)
				}
			}
			for _, line := range tc.no {
				if excess := permit.Excess(privilege.SetOf(line)); len(excess) == 0 {
					t.Errorf("%q is permitted", line)
				}
			}
		})
	}
}

// A pod may use the policies that RBAC lets its account use, that no RBAC is about, and none
// that admission ignores.
func TestPermitsOfAccounts(t *testing.T) {
	members := func(account string) []aggregate.Member {
		var f aggregate.Fleet
		f.Add(podOf("web", account, podtest.Least()))
		return f.Members()
	}
	w := writtenOf(t, members("one"), aggregate.ByWorkload)
	if n := len(w.Permits("shop", "one")); n != 1 {
		t.Errorf("%d policies for the account", n)
	}
	if n := len(w.Permits("shop", "two")) + len(w.Permits("bank", "one")); n != 0 {
		t.Errorf("%d policies for others", n)
	}
	w.policies["open"] = open()
	if n := len(w.Permits("bank", "two")); n != 1 {
		t.Errorf("%d policies without RBAC", n)
	}
	w.policies["open"].Spec.SELinux.Rule = mustRunAs // without options
	if n := len(w.Permits("bank", "two")); n != 0 {
		t.Errorf("%d policies that admission ignores", n)
	}
	if lines := w.Permits("shop", "one")[0].Lines(); !slices.Contains(lines, "user 1000") || !slices.Contains(lines, "appArmor *") || slices.Contains(lines, "probe host *") {
		t.Errorf("lines: %q", lines)
	}
}
