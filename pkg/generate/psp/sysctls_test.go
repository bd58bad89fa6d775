package psp

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func sysctls(names ...string) *corev1.Pod {
	return podtest.Pod(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
		for _, n := range names {
			sc.Sysctls = append(sc.Sysctls, corev1.Sysctl{Name: n, Value: "1"})
		}
	}))
}

func TestRowAllowedUnsafeSysctls(t *testing.T) {
	testRow(t, func(p policy) []string { return spec(p).AllowedUnsafeSysctls }, []rowCase[[]string]{
		{"none", pods(podtest.Pod()), nil},
		{"safe ones need no permission", pods(sysctls("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
			"net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start")), nil},
		{"unsafe ones, by name", pods(sysctls("net.core.somaxconn"), sysctls("kernel.msgmax")), []string{"kernel.msgmax", "net.core.somaxconn"}},
		{"safe since 1.25 is unsafe in 1.24", pods(sysctls("net.ipv4.ip_local_reserved_ports")), []string{"net.ipv4.ip_local_reserved_ports"}},
		{"slashes need a prefix", pods(sysctls("net/ipv4/tcp_syncookies")), []string{"net*"}},
		{"a prefix covers names", pods(sysctls("net/ipv4/tcp_syncookies", "net.core.somaxconn", "kernel.msgmax")), []string{"kernel.msgmax", "net*"}},
		{"a slash behind dots", pods(sysctls("net.ipv4.conf.eth0/1.mtu")), []string{"net.ipv4.conf.eth0*"}},
	})
}

func TestRowForbiddenSysctls(t *testing.T) {
	testRow(t, func(p policy) []string { return spec(p).ForbiddenSysctls }, []rowCase[[]string]{
		{"none used: all", pods(podtest.Pod()), []string{"*"}},
		{"the safe ones that nobody uses", pods(sysctls("net.ipv4.tcp_syncookies", "kernel.msgmax")), []string{
			"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range",
		}},
		{"used by one pod of two", pods(podtest.Pod(), sysctls("kernel.shm_rmid_forced")), []string{
			"net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_syncookies",
		}},
		{"none that an allowed prefix matches", pods(sysctls("net/ipv4/tcp_syncookies")), []string{"kernel.shm_rmid_forced"}},
	})
}
