package privilege_test

import (
	"slices"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
)

func TestSeverityOf(t *testing.T) {
	for line, want := range map[string]privilege.Severity{
		"privileged": privilege.Critical, "hostNetwork": privilege.High, "image user root": privilege.Medium, "user 1000": privilege.Info,
		"capability SYS_ADMIN": privilege.Critical, "capability NET_ADMIN": privilege.High, "capability SYS_TIME": privilege.Medium,
		"capability CHOWN": privilege.Low, "capability NET_RAW": privilege.Medium, "default capabilities": privilege.Medium,
		"hostPath /": privilege.Critical, "hostPath /var": privilege.Critical, "hostPath /var/run/": privilege.Critical, "hostPath //run//docker.sock": privilege.Critical,
		"hostPath /var/log": privilege.Low, "write hostPath /var/log": privilege.High, "write hostPath /var/log/pods": privilege.High, "write hostPath /var/logs": privilege.Medium,
		"hostPath /etc": privilege.High, "hostPath /etc/localtime": privilege.Medium, "write hostPath /etc": privilege.Critical, "write hostPath /etc/cni": privilege.High,
		"hostPath /run/k0s/containerd.sock": privilege.Critical, "hostPath /var/snap/microk8s/common/run": privilege.Critical, "hostPath /var/run/dockershim.sock": privilege.Critical,
		`hostPath \\.\pipe\docker_engine`: privilege.Critical, `write hostPath \\.\pipe\containerd-containerd`: privilege.Critical, `hostPath \\.\pipe\other`: privilege.Low,
		"hostPath /data": privilege.Low, "write hostPath /data": privilege.Medium,
		"seLinux type=spc_t": privilege.High, "seLinux user=u type=spc_t": privilege.High, "seLinux type=spc_t level=s0": privilege.High, "seLinux type=t level=spc_t": privilege.Medium, "seLinux": privilege.Info,
		"sysctl net.ipv4.tcp_rmem": privilege.Info, "sysctl kernel.msgmax": privilege.High,
		"seccomp localhost/x": privilege.Info, "no seccomp profile": privilege.Medium, "volume secret": privilege.Info,
	} {
		if got := privilege.SeverityOf(line); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}

// What a line permits is no worse than the line.
func TestSeverityFollowsUnder(t *testing.T) {
	r := podtest.Rand(t)
	lines := []string{"hostPath /", "write hostPath /", "hostPath /var", "hostPath /var/run", "write hostPath /var/lib", "write hostPath /etc", "hostPath /etc/kubernetes/pki"}
	for top, beginnings := range privilege.Implied {
		lines = append(lines, top)
		for _, b := range beginnings {
			lines = append(lines, b, b+"x")
		}
	}
	for _, c := range privilege.DefaultCapabilities {
		lines = append(lines, "capability "+c)
	}
	for range 500 {
		lines = append(lines, setOf(podtest.Random(r)).Lines()...)
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	pairs := 0
	for _, top := range lines {
		for _, line := range lines {
			if line == top || !privilege.Valid(line) || !privilege.Under(line, top) {
				continue
			}
			pairs++
			if privilege.SeverityOf(line).Compare(privilege.SeverityOf(top)) > 0 {
				t.Errorf("%q is %s, but under %q, which is %s", line, privilege.SeverityOf(line), top, privilege.SeverityOf(top))
			}
		}
	}
	if pairs < 100 {
		t.Errorf("only %d pairs", pairs)
	}
}

// Each row of the table of severities is a line, or the beginning of some.
func TestSeverities(t *testing.T) {
	for _, form := range privilege.Forms {
		if !slices.Contains(privilege.Severities(), privilege.SeverityOf(form)) {
			t.Errorf("%q has no severity", form)
		}
	}
}
