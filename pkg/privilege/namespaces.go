package privilege

/*
Fields:

	spec.hostNetwork
	spec.hostPID
	spec.hostIPC
	spec.hostUsers
	spec.shareProcessNamespace
	spec.runtimeClassName

Lines: the namespaces of the host that the pod is in; "hostUsers" also if unset, for
that is the default (k8s.io/api/core/v1, PodSpec). "runtimeClass NAME" or "default
runtimeClass": either may be less isolated than the other, so neither is under the
other.
*/

func (a *asker) namespaces() {
	spec := &a.pod.Spec
	a.askIf(spec.HostNetwork, "", "hostNetwork")
	a.askIf(spec.HostPID, "", "hostPID")
	a.askIf(spec.HostIPC, "", "hostIPC")
	a.askIf(a.linux && !is(spec.HostUsers, false), "", "hostUsers")
	a.askIf(is(spec.ShareProcessNamespace, true), "", "shareProcessNamespace")
	if spec.RuntimeClassName != nil {
		a.ask("", "runtimeClass "+Quote(*spec.RuntimeClassName))
	} else {
		a.ask("", "default runtimeClass")
	}
}

/*
Field:

	spec.securityContext.sysctls[*].name

Lines: each name, as spelled.
*/

func (a *asker) sysctls() {
	for _, s := range a.podSC.Sysctls {
		a.ask("", Sysctl(s.Name))
	}
}

// Sysctl returns the line of a sysctl.
func Sysctl(name string) string { return "sysctl " + Quote(name) }
