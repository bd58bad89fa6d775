package privilege

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

/*
Fields:

	spec.containers[*].securityContext.{runAsUser,runAsNonRoot}
	spec.securityContext.{runAsUser,runAsNonRoot}

Lines: "root user"; "user N"; "image user" if the image decides but root is refused
(runAsNonRoot); "image user root" if it may be root. "user N" is under "image user",
which is under "image user root": who chooses the image chooses the user. "root user"
is under none: it is root for certain.
On Windows the user has a name; see windows.
*/

func (a *asker) user(c container) {
	uid := either(c.sc.RunAsUser, a.podSC.RunAsUser)
	nonRoot := either(c.sc.RunAsNonRoot, a.podSC.RunAsNonRoot)
	switch {
	case uid != nil && *uid == 0:
		a.ask(c.Name, "root user")
	case uid != nil:
		a.ask(c.Name, "user "+strconv.FormatInt(*uid, 10))
	case !a.linux && a.windowsOptions(c).RunAsUserName != nil:
	case is(nonRoot, true):
		a.ask(c.Name, "image user")
	default:
		a.ask(c.Name, "image user root")
	}
}

/*
Fields:

	spec.containers[*].securityContext.runAsGroup
	spec.securityContext.runAsGroup

Lines: "root group"; "group N"; "image group" if unset. "group N" is under "image
group", "root group" is not.
*/

func (a *asker) group(c container) {
	gid := either(c.sc.RunAsGroup, a.podSC.RunAsGroup)
	switch {
	case gid != nil && *gid == 0:
		a.ask(c.Name, "root group")
	case gid != nil:
		a.ask(c.Name, "group "+strconv.FormatInt(*gid, 10))
	default:
		a.askIf(a.linux, c.Name, "image group")
	}
}

/*
Fields:

	spec.securityContext.{fsGroup,supplementalGroups,supplementalGroupsPolicy}

Lines: "fsGroup N"; "supplementalGroup N"; "image groups" unless the policy is Strict,
for otherwise the image adds groups to the user (KEP-3619).
*/

func (a *asker) podGroups() {
	if g := a.podSC.FSGroup; g != nil {
		a.ask("", "fsGroup "+strconv.FormatInt(*g, 10))
	}
	for _, g := range a.podSC.SupplementalGroups {
		a.ask("", "supplementalGroup "+strconv.FormatInt(g, 10))
	}
	a.askIf(a.linux && !is(a.podSC.SupplementalGroupsPolicy, corev1.SupplementalGroupsPolicyStrict), "", "image groups")
}

/*
Fields:

	spec.containers[*].securityContext.windowsOptions.{hostProcess,runAsUserName}
	spec.securityContext.windowsOptions.{hostProcess,runAsUserName}

Lines: "windows hostProcess"; "windows user NAME". Also in a pod that does not say
that it is for Windows: it may run there.
*/

func (a *asker) windows(c container) {
	options := a.windowsOptions(c)
	a.askIf(is(options.HostProcess, true), c.Name, "windows hostProcess")
	if user := options.RunAsUserName; user != nil {
		a.ask(c.Name, "windows user "+Quote(*user))
	}
}

// windowsOptions returns the effective options of a container.
func (a *asker) windowsOptions(c container) corev1.WindowsSecurityContextOptions {
	var own, pods corev1.WindowsSecurityContextOptions
	if c.sc.WindowsOptions != nil {
		own = *c.sc.WindowsOptions
	}
	if a.podSC.WindowsOptions != nil {
		pods = *a.podSC.WindowsOptions
	}
	return corev1.WindowsSecurityContextOptions{
		HostProcess:   either(own.HostProcess, pods.HostProcess),
		RunAsUserName: either(own.RunAsUserName, pods.RunAsUserName),
	}
}
