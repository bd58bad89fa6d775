package privilege

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

/*
Fields:

	spec.containers[*].securityContext.privileged
	spec.containers[*].securityContext.allowPrivilegeEscalation
	spec.containers[*].securityContext.readOnlyRootFilesystem

Lines: "privileged"; "allowPrivilegeEscalation" unless it is false, since unset means
true (k8s.io/kubernetes/pkg/securitycontext, AddNoNewPrivileges); "writable root file
system" unless it is read-only.
*/

func (a *asker) powers(c container) {
	a.askIf(is(c.sc.Privileged, true), c.Name, "privileged")
	a.askIf(a.linux && !is(c.sc.AllowPrivilegeEscalation, false), c.Name, "allowPrivilegeEscalation")
	a.askIf(a.linux && !is(c.sc.ReadOnlyRootFilesystem, true), c.Name, "writable root file system")
}

/*
Fields:

	spec.containers[*].securityContext.capabilities.add
	spec.containers[*].securityContext.capabilities.drop

Lines: each capability that the container has: those that runtimes give by default
(containerd's pkg/oci/spec.go; CRI-O gives a subset) but for the dropped ones, and
the added ones. "default capabilities" stands for all of them.

Runtimes ignore the case of letters, and CRI-O accepts CAP_ before a name, which is
part of the name for containerd (internal/cri/opts/spec_opts.go, WithCapabilities;
CRI-O's internal/factory/container/container.go, toCAPPrefixed). So "cap_net_admin"
is added as NET_ADMIN, "all" drops ALL, but "CAP_CHOWN" does not drop CHOWN. A
capability that is both added and dropped counts as added: runtimes differ.
*/

const defaultCapabilities = "default capabilities"

// DefaultCapabilities are what a runtime gives to a container, sorted.
var DefaultCapabilities = []string{
	"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
	"NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}

func (a *asker) capabilities(c container) {
	caps := c.sc.Capabilities
	if caps == nil {
		caps = &corev1.Capabilities{}
	}
	if a.linux {
		var dropped []string
		for _, d := range caps.Drop {
			dropped = append(dropped, upper(string(d)))
		}
		isDropped := func(name string) bool { return slices.Contains(dropped, name) }
		switch {
		case isDropped("ALL"):
		case !slices.ContainsFunc(DefaultCapabilities, isDropped):
			a.ask(c.Name, defaultCapabilities)
		default:
			for _, name := range DefaultCapabilities {
				a.askIf(!isDropped(name), c.Name, "capability "+name)
			}
		}
	}
	for _, added := range caps.Add {
		a.ask(c.Name, Capability(string(added)))
	}
}

// Capability returns the line of an added capability, as it is spelled in a pod.
func Capability(added string) string {
	return "capability " + Quote(strings.TrimPrefix(upper(added), "CAP_"))
}

// upper returns s with its ASCII letters in upper case; others would be a way to
// write a capability in two ways.
func upper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}
