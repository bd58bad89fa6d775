package profile

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func privileged(sc *corev1.SecurityContext)    { sc.Privileged = new(true) }
func notPrivileged(sc *corev1.SecurityContext) { sc.Privileged = new(false) }

func TestContainers(t *testing.T) {
	debugged := podtest.Pod(podtest.Ephemeral("debug", podtest.Context(privileged)))
	testAttributes(t, []attributeCase{
		{
			name: "init, regular and sidecar containers count",
			pod: podtest.Pod(podtest.Security(privileged), podtest.Init("first", podtest.Context(notPrivileged)),
				podtest.Sidecar("proxy")),
			want: map[string][]string{"privileged": {"unset by proxy", "false by first", "true by c"}},
		},
		{
			name: "ephemeral containers are told but do not count",
			pod:  debugged,
			want: map[string][]string{"privileged": {"unset by c"}, "ephemeralContainers": {"debug"}},
		},
		{
			name:    "ephemeral containers count when asked for",
			pod:     debugged,
			options: Options{EphemeralContainers: true},
			want:    map[string][]string{"privileged": {"unset by c", "true by debug"}, "ephemeralContainers": {"debug"}},
		},
		{
			name: "an empty security context sets nothing",
			pod:  podtest.Pod(podtest.Security(func(*corev1.SecurityContext) {}), podtest.PodSecurity(func(*corev1.PodSecurityContext) {})),
			want: map[string][]string{"privileged": {"unset by c"}, "runAsGroup": {"unset by c"}, "fsGroup": {"unset"}},
		},
		{
			name: "every container is named",
			pod:  podtest.Pod(podtest.Sidecar("z"), podtest.Sidecar("b"), podtest.Sidecar("a"), podtest.Sidecar("d")),
			want: map[string][]string{"privileged": {"unset by a b c d z"}},
		},
	})
}

func TestContainerFlags(t *testing.T) {
	testAttributes(t, []attributeCase{
		{
			name: "false",
			pod: podtest.Pod(podtest.Security(func(sc *corev1.SecurityContext) {
				sc.Privileged, sc.AllowPrivilegeEscalation, sc.ReadOnlyRootFilesystem = new(false), new(false), new(false)
			})),
			want: map[string][]string{
				"privileged": {"false by c"}, "allowPrivilegeEscalation": {"false by c"}, "readOnlyRootFilesystem": {"false by c"},
			},
		},
		{
			name: "true",
			pod: podtest.Pod(podtest.Security(func(sc *corev1.SecurityContext) {
				sc.Privileged, sc.AllowPrivilegeEscalation, sc.ReadOnlyRootFilesystem = new(true), new(true), new(true)
			})),
			want: map[string][]string{
				"privileged": {"true by c"}, "allowPrivilegeEscalation": {"true by c"}, "readOnlyRootFilesystem": {"true by c"},
			},
		},
		{
			name: "each container has one",
			pod: podtest.Pod(podtest.Security(func(sc *corev1.SecurityContext) { sc.AllowPrivilegeEscalation = new(false) }),
				podtest.Sidecar("proxy")),
			want: map[string][]string{"allowPrivilegeEscalation": {"unset by proxy", "false by c"}},
		},
	})
}

func TestHostNamespaces(t *testing.T) {
	testAttributes(t, []attributeCase{
		{
			name: "network",
			pod:  podtest.Pod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }),
			want: map[string][]string{"hostNetwork": {"true"}, "hostPID": {"false"}, "hostIPC": {"false"}},
		},
		{
			name: "pid",
			pod:  podtest.Pod(func(p *corev1.Pod) { p.Spec.HostPID = true }),
			want: map[string][]string{"hostNetwork": {"false"}, "hostPID": {"true"}, "hostIPC": {"false"}},
		},
		{
			name: "ipc",
			pod:  podtest.Pod(func(p *corev1.Pod) { p.Spec.HostIPC = true }),
			want: map[string][]string{"hostNetwork": {"false"}, "hostPID": {"false"}, "hostIPC": {"true"}},
		},
	})
}

func TestRuntimeClass(t *testing.T) {
	testAttributes(t, []attributeCase{
		{
			name: "set",
			pod:  podtest.Pod(func(p *corev1.Pod) { p.Spec.RuntimeClassName = new("gvisor") }),
			want: map[string][]string{"runtimeClassName": {"gvisor"}},
		},
		{
			name: "empty is unset",
			pod:  podtest.Pod(func(p *corev1.Pod) { p.Spec.RuntimeClassName = new("") }),
			want: map[string][]string{"runtimeClassName": {"unset"}},
		},
	})
}

func TestSysctls(t *testing.T) {
	sysctls := func(names ...string) *corev1.Pod {
		return podtest.Pod(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
			for _, n := range names {
				sc.Sysctls = append(sc.Sysctls, corev1.Sysctl{Name: n, Value: "1"})
			}
		}))
	}
	testAttributes(t, []attributeCase{
		{name: "none", pod: sysctls(), want: map[string][]string{"sysctls": nil}},
		{name: "sorted, once", pod: sysctls("b", "a", "b"), want: map[string][]string{"sysctls": {"a", "b"}}},
		{
			name: "slashes are not dots", pod: sysctls("net/ipv4/tcp_syncookies", "net.ipv4.tcp_syncookies"),
			want: map[string][]string{"sysctls": {"net.ipv4.tcp_syncookies", "net/ipv4/tcp_syncookies"}},
		},
	})
}
