package psp

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// safeLine reports whether s fits a YAML comment and a terminal.
func safeLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !printable.IsPrint(r) })
}

// Reasons stay short and safe, whatever the names.
func TestReasonsAreBounded(t *testing.T) {
	var list []aggregate.Pod
	for i, s := range append(hostile(), hostile()...) {
		pod := podtest.Pod(podtest.Security(privileged), podtest.Sidecar("s"+s, podtest.Context(privileged)), podtest.Sidecar("t", podtest.Context(privileged)),
			podtest.Sidecar("u", podtest.Context(privileged)), volume(podtest.HostPath(s)))
		pod.Spec.Containers[0].Name = s
		list = append(list, podOf(fmt.Sprint(s, i), "default", pod))
	}
	p := policies(aggregate.ByNamespace, list...)[0]
	for field, lines := range p.Objects()[0].Reasons {
		for _, line := range lines {
			if !safeLine(line) || utf8.RuneCountInString(line) > 2000 {
				t.Errorf("%s: %q", field, line)
			}
		}
	}
	if !safeLine(p.Objects()[0].Title) {
		t.Errorf("%q", p.Objects()[0].Title)
	}
	if got := p.why("privileged")[0]; !strings.HasSuffix(got, fmt.Sprintf("and %d more", len(list)-3)) {
		t.Errorf("the workloads are not counted: %s", got)
	}
}

func TestReasons(t *testing.T) {
	var f aggregate.Fleet
	f.Add(podOf("web", "one", podtest.Pod(podtest.Security(privileged), podtest.Init("i", podtest.Context(privileged)))))
	f.Add(podOf("web", "two", podtest.Pod(podtest.Security(privileged), podtest.Sidecar("z", podtest.Context(privileged)))))
	f.Add(podOf("db", "one", podtest.Pod()))
	p := policiesOf(f.Members(), aggregate.ByNamespace)[0]
	want := []string{"used by Deployment/web (containers c, i, z)"}
	if diff := cmp.Diff(want, p.why("privileged")); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	want = []string{"used by shop Deployment/web (containers c, i, z)"}
	if diff := cmp.Diff(want, policiesOf(f.Members(), aggregate.ByCluster)[0].why("privileged")); diff != "" {
		t.Errorf("reasons of the cluster's policy (-want +got):\n%s", diff)
	}
	members := f.Members()
	if diff := cmp.Diff([]string{"c", "i"}, profile.Containers(members[1].Profile.Privileged.Items()[0].Uses)); diff != "" {
		t.Errorf("the profile's evidence was changed (-want +got):\n%s", diff)
	}
}

// People see that there are more containers than are named.
func TestReasonsAreCut(t *testing.T) {
	pod := podtest.Pod(podtest.Security(privileged))
	for _, name := range []string{"d", "e", "f", "g"} {
		podtest.Sidecar(name, podtest.Context(privileged))(pod)
	}
	want := []string{"used by Deployment/web (containers c, d, e, …)"}
	if diff := cmp.Diff(want, policyFor(t, pod).why("privileged")); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}

func TestFor(t *testing.T) {
	sc := podSeccomp("RuntimeDefault", "")
	for _, tc := range []struct {
		name  string
		level aggregate.Level
		pods  []aggregate.Pod
		want  string
	}{
		{"one workload", aggregate.ByWorkload, []aggregate.Pod{podOf("web", "web", podtest.Pod())}, "for Deployment/web, under service account web"},
		{"of two accounts", aggregate.ByWorkload, []aggregate.Pod{podOf("web", "one", podtest.Pod()), podOf("web", "two", podtest.Pod())}, "for Deployment/web, under 2 service accounts"},
		{"static", aggregate.ByWorkload, []aggregate.Pod{podOf("etcd", "", podtest.Pod())}, "for Deployment/etcd, static pods"},
		{
			"one policy", aggregate.ByWorkload,
			[]aggregate.Pod{podOf("web", "a", podtest.Pod(sc)), podOf("db", "a", podtest.Pod())},
			"for Deployment/db, Deployment/web, under service account a; one policy for all of them, because of several admission could choose the wrong one for a pod-level seccomp profile",
		},
		{
			"static, one policy", aggregate.ByWorkload,
			[]aggregate.Pod{podOf("api", "", podtest.Pod(sc)), podOf("etcd", "", podtest.Pod())},
			"for Deployment/api, Deployment/etcd, static pods; one policy for all of them, because of several admission could choose the wrong one for a pod-level seccomp profile",
		},
		{
			"static beside others", aggregate.ByNamespace,
			[]aggregate.Pod{podOf("etcd", "", podtest.Pod()), podOf("dns", "dns", podtest.Pod())},
			"for Deployment/dns, Deployment/etcd, under service account dns, and static pods",
		},
		{"the cluster", aggregate.ByCluster, []aggregate.Pod{podOf("web", "a", podtest.Pod())}, "for all observed pods of the cluster"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := policies(tc.level, tc.pods...)[0].Objects()[0].Title; got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// Each permission that a policy gives has a reason.
func TestEachPermissionHasAReason(t *testing.T) {
	pod := podtest.Pod(
		func(p *corev1.Pod) {
			p.Spec.HostNetwork, p.Spec.HostPID, p.Spec.HostIPC, p.Spec.RuntimeClassName = true, true, true, new("kata")
		},
		podtest.Security(func(sc *corev1.SecurityContext) {
			sc.Privileged, sc.ProcMount, sc.RunAsUser, sc.RunAsGroup = new(true), new(corev1.UnmaskedProcMount), new(int64(0)), new(int64(0))
		}),
		podtest.Security(caps(capabilities{"SYS_ADMIN"}, nil)),
		podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
			sc.FSGroup, sc.SupplementalGroups, sc.Sysctls = new(int64(0)), []int64{0}, []corev1.Sysctl{{Name: "kernel.msgmax"}}
		}),
		podSELinux(corev1.SELinuxOptions{Type: "spc_t"}), podSeccomp("Unconfined", ""), appArmor("c", "unconfined"),
		podtest.Container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{HostPort: 80}} }),
		podtest.Volume("h", podtest.HostPath("/"), nil),
		podtest.Volume("f", corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: "f"}}, nil),
		podtest.Volume("s", corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "s"}}, nil),
	)
	p := policyFor(t, pod, podtest.Pod(podSELinux(corev1.SELinuxOptions{Type: "other"}), podSeccomp("Unconfined", ""), appArmor("c", "unconfined")))
	for _, field := range []string{
		"privileged", "hostNetwork", "hostPID", "hostIPC", "hostPorts", "allowPrivilegeEscalation", "allowedCapabilities", "volumes",
		"allowedHostPaths", "allowedFlexVolumes", "allowedCSIDrivers", "allowedUnsafeSysctls", "allowedProcMountTypes", "runtimeClass",
		"seLinux", "runAsUser", "runAsGroup", "fsGroup", "supplementalGroups", seccompAllowedAnnotation, appArmorAllowedAnnotation,
	} {
		if len(p.why(field)) == 0 {
			t.Errorf("no reason for %s", field)
		}
	}
	if nothing := (aggregate.Group{Level: aggregate.ByCluster}); len(generateOutput(nothing).Objects()[0].Reasons) > 3 {
		t.Error("reasons for a policy of no pods")
	}
}

// hostile are strings that could end a comment, a string or a document.
func hostile() []string {
	return []string{
		"x\n---\napiVersion: v1\nkind: Secret\n", "x\r\n---\r\n", "x\u2028---\u2028", "x\u0085---\u0085", "x # y", "x: y", "- x", "? x", "{a: b}", "[a]",
		`"x"`, `'x'`, "x\"\n", "|", ">-", "&a", "*a", "!!binary x", "%YAML 1.2", "@x", "`x`", "\x1b[2J\x1b]0;x\a", "\x00", "\xff", "true", "null", "1e3", "~", "",
		" x ", "\tx", "x\\n---", "--- x", "...", "<<", "=", "0x10", "2001-01-01", "12:30:45", "no",
		"seLinux: x\n  seLinux: y", "x\nseccomp.security.alpha.kubernetes.io/allowedProfileNames: y",
		"x\n  volumes: y\n    seccomp.security.alpha.kubernetes.io/allowedProfileNames: z\n",
		strings.Repeat("word ", 30) + "seccomp.security.alpha.kubernetes.io/allowedProfileNames: " + strings.Repeat("word ", 30) + "volumes: x",
	}
}
