package privilege

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// Severity is how much harm a privilege can do if somebody else takes the container over.
type Severity string

// The severities, from the least to the worst.
const (
	// Info: nothing to worry about.
	Info Severity = "info"
	// Low: a second mistake is needed, or little is gained.
	Low Severity = "low"
	// Medium: a step towards other containers or the node.
	Medium Severity = "medium"
	// High: other containers, their data or traffic are within reach.
	High Severity = "high"
	// Critical: the node is within reach.
	Critical Severity = "critical"
)

// Severities returns all severities, the least first.
func Severities() []Severity { return []Severity{Info, Low, Medium, High, Critical} }

// Compare orders from the least to the worst.
func (s Severity) Compare(o Severity) int {
	return cmp.Compare(slices.Index(Severities(), s), slices.Index(Severities(), o))
}

// Worst returns the worst of severities, of which there is one at least.
func Worst(list ...Severity) Severity { return slices.MaxFunc(list, Severity.Compare) }

// Least returns the least of severities, of which there is one at least.
func Least(list ...Severity) Severity { return slices.MinFunc(list, Severity.Compare) }

// SeverityOf returns the severity of a line. No line that is under another one is worse
// than that.
func SeverityOf(line string) Severity {
	if s, known := severities[line]; known {
		return s
	}
	if file, ok := strings.CutPrefix(line, "write hostPath "); ok {
		return severityOfPath(file, true)
	}
	if file, ok := strings.CutPrefix(line, "hostPath "); ok {
		return severityOfPath(file, false)
	}
	if strings.HasPrefix(line, "seLinux ") && strings.Contains(line+" ", " type=spc_t ") {
		return High // unconfined, by the policies for containers
	}
	if name, ok := strings.CutPrefix(line, "capability "); ok && slices.Contains(DefaultCapabilities, name) {
		return Low
	}
	for _, form := range Forms {
		if s, known := severities[form]; known && strings.HasSuffix(form, " ") && strings.HasPrefix(line, form) {
			return s
		}
	}
	return Info
}

// severities of lines, and of the beginnings of lines with a value.
//
// What a capability opens is in capabilities(7) and in the kernel's
// include/uapi/linux/capability.h; which sysctls are safe in
// k8s.io/pod-security-admission/policy/check_sysctls.go.
var severities = map[string]Severity{
	"privileged": Critical, "windows hostProcess": Critical,
	"hostPID": High, "hostIPC": High, "hostNetwork": High,
	"shareProcessNamespace": Low, "hostUsers": Info,
	"mountPropagation Bidirectional": High, "mountPropagation ": Low,
	"allowPrivilegeEscalation": Medium, "procMount ": High, "writable root file system": Low,

	"capability ALL": Critical, "default capabilities": Medium, "capability ": Medium,
	"capability SYS_ADMIN":          Critical, // nearly all of what root may do
	"capability SYS_MODULE":         Critical, // code in the kernel
	"capability SYS_RAWIO":          Critical, // memory and devices
	"capability SYS_PTRACE":         High,     // other processes' memory
	"capability DAC_READ_SEARCH":    High,     // any file of a mounted file system, by its handle
	"capability BPF":                High,     // programs in the kernel
	"capability PERFMON":            High,     // what the kernel and others do
	"capability NET_ADMIN":          High,     // the traffic of the network namespace
	"capability SYS_BOOT":           High,     // another kernel
	"capability MAC_ADMIN":          High,     // other rules of SELinux and AppArmor
	"capability MAC_OVERRIDE":       High,     // none of them
	"capability CHECKPOINT_RESTORE": High,     // other processes' state
	"capability NET_RAW":            Medium,   // made-up packets; a default one

	"seccomp unconfined": High, "no seccomp profile": Medium, "seccomp ": Info,
	"appArmor unconfined": High, "appArmor ": Info,
	"seLinux ": Medium,

	"root user": High, "image user root": Medium, "root group": Low,
	"fsGroup 0": Low, "supplementalGroup 0": Low,
	"windows user ": Low,

	"hostPort ": Medium, "probe host ": Medium, "flexVolume ": Medium, "csi ": Low,

	"sysctl ":                             High,
	"sysctl kernel.shm_rmid_forced":       Info,
	"sysctl net.ipv4.ip_local_port_range": Info, "sysctl net.ipv4.ip_local_reserved_ports": Info,
	"sysctl net.ipv4.ip_unprivileged_port_start": Info, "sysctl net.ipv4.ping_group_range": Info,
	"sysctl net.ipv4.tcp_fin_timeout": Info, "sysctl net.ipv4.tcp_keepalive_intvl": Info,
	"sysctl net.ipv4.tcp_keepalive_probes": Info, "sysctl net.ipv4.tcp_keepalive_time": Info,
	"sysctl net.ipv4.tcp_rmem": Info, "sysctl net.ipv4.tcp_syncookies": Info, "sysctl net.ipv4.tcp_wmem": Info,
}

// hostFile is a file or directory of a node that is worth something.
type hostFile struct {
	path        string
	read, write Severity
}

// hostFiles are those that let others reach the node or other pods.
var hostFiles = []hostFile{
	// The sockets of container runtimes: who may connect may start any container, and a
	// read-only mount does not prevent that.
	{"/run/docker.sock", Critical, Critical},
	{"/var/run/docker.sock", Critical, Critical},
	{"/run/containerd/containerd.sock", Critical, Critical},
	{"/var/run/containerd/containerd.sock", Critical, Critical},
	{"/run/k3s/containerd/containerd.sock", Critical, Critical},
	{"/run/crio/crio.sock", Critical, Critical},
	{"/var/run/crio/crio.sock", Critical, Critical},
	{"/run/cri-dockerd.sock", Critical, Critical},
	{"/var/run/cri-dockerd.sock", Critical, Critical},
	{"/run/podman/podman.sock", Critical, Critical},
	{"/var/run/podman/podman.sock", Critical, Critical},
	{"/run/dockershim.sock", Critical, Critical},
	{"/var/run/dockershim.sock", Critical, Critical},
	{"/run/docker/containerd/containerd.sock", Critical, Critical},
	{"/var/run/docker/containerd/containerd.sock", Critical, Critical},
	{"/run/k0s/containerd.sock", Critical, Critical},
	{"/var/snap/microk8s/common/run/containerd.sock", Critical, Critical},
	{"/run/buildkit/buildkitd.sock", Critical, Critical},
	{"/run/nri/nri.sock", Critical, Critical}, // changes containers as they are made
	{"/var/run/nri/nri.sock", Critical, Critical},
	// The same on Windows, where they are named pipes.
	{`\\.\pipe\docker_engine`, Critical, Critical},
	{`\\.\pipe\containerd-containerd`, Critical, Critical},
	{`\\.\pipe\dockershim`, Critical, Critical},
	{`\\.\pipe\cri-dockerd`, Critical, Critical},
	// Keys and tokens.
	{"/etc/kubernetes", High, Critical},
	{"/var/lib/etcd", Critical, Critical},
	{"/var/lib/kubelet", High, Critical},
	{"/root", High, Critical},
	{"/home", Medium, High},
	// The files of other containers.
	{"/var/lib/docker", High, Critical},
	{"/var/lib/containerd", High, Critical},
	{"/var/lib/containers", High, Critical},
	// The kernel and its devices.
	{"/proc", High, Critical},
	{"/dev", High, Critical},
	{"/sys", Medium, High},
	{"/boot", Low, Critical},
	// What the node runs.
	{"/etc", Medium, Critical},
	{"/usr", Low, Critical},
	{"/bin", Low, Critical},
	{"/sbin", Low, Critical},
	{"/lib", Low, Critical},
	{"/lib64", Low, Critical},
	{"/opt", Low, High},
	// The kubelet serves what links there point to.
	{"/var/log", Low, High},
}

// severityOfPath returns the severity of a path of the node: the worst of what lies below
// it. What lies below a file of the table is at most High.
func severityOfPath(file string, writable bool) Severity {
	worst := Low
	if writable {
		worst = Medium
	}
	file = path.Clean(file)
	for _, known := range hostFiles {
		s := known.read
		if writable {
			s = known.write
		}
		switch {
		case within(known.path, file):
		case within(file, known.path):
			s = Least(s, High)
		default:
			continue
		}
		worst = Worst(worst, s)
	}
	return worst
}

// within reports whether a path is another one, or below it.
func within(file, directory string) bool {
	return file == directory || strings.HasPrefix(file, strings.TrimSuffix(directory, "/")+"/")
}
