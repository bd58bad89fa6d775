package privilege

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

/*
Fields:

	spec.containers[*].securityContext.{seccompProfile,appArmorProfile,seLinuxOptions,procMount}
	spec.securityContext.{seccompProfile,appArmorProfile,seLinuxOptions}
	metadata.annotations["container.apparmor.security.beta.kubernetes.io/*"]

Lines of seccomp: nothing for RuntimeDefault; "no seccomp profile" if unset, which the
kubelet's seccompDefault may make RuntimeDefault; "seccomp unconfined"; "seccomp
localhost/PATH". All of them are under "seccomp unconfined". A pod's own profile that
is Unconfined or Localhost is asked for even if every container has another: debug
containers get it. The annotations of seccomp mean nothing since 1.27.

Lines of AppArmor: nothing if unset or RuntimeDefault; "appArmor unconfined", and
"appArmor localhost/PATH" under it. A container's field precedes its annotation, which
precedes the pod's field (pkg/registry/core/pod/strategy.go, applyAppArmorVersionSkew).

Lines of SELinux: the options, wherever they are set. procMount: "procMount Unmasked".
*/

func (a *asker) podConfinement() {
	if p := a.podSC.SeccompProfile; p != nil && p.Type != corev1.SeccompProfileTypeRuntimeDefault {
		a.ask("", seccomp(p))
	}
	if o := a.podSC.SELinuxOptions; o != nil {
		a.ask("", SELinux(o))
	}
}

func (a *asker) confinement(c container) {
	if p := either(c.sc.SeccompProfile, a.podSC.SeccompProfile); p == nil {
		a.askIf(a.linux, c.Name, "no seccomp profile")
	} else if p.Type != corev1.SeccompProfileTypeRuntimeDefault {
		a.ask(c.Name, seccomp(p))
	}
	if line := a.appArmor(c); line != "" {
		a.ask(c.Name, line)
	}
	if o := c.sc.SELinuxOptions; o != nil {
		a.ask(c.Name, SELinux(o))
	}
	if m := c.sc.ProcMount; m != nil && *m != corev1.DefaultProcMount {
		a.ask(c.Name, "procMount "+Quote(string(*m)))
	}
}

// seccomp returns the line of a profile that is not RuntimeDefault.
func seccomp(p *corev1.SeccompProfile) string {
	switch {
	case p.Type == corev1.SeccompProfileTypeUnconfined:
		return "seccomp unconfined"
	case p.Type == corev1.SeccompProfileTypeLocalhost && p.LocalhostProfile != nil:
		return "seccomp localhost/" + Quote(*p.LocalhostProfile)
	default:
		return "seccomp type " + Quote(string(p.Type)) // which no server of today accepts
	}
}

// appArmor returns the line of a container's AppArmor profile, or "".
func (a *asker) appArmor(c container) string {
	field := c.sc.AppArmorProfile
	if field == nil {
		switch annotation := a.pod.Annotations[corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name]; {
		case annotation == corev1.DeprecatedAppArmorBetaProfileNameUnconfined:
			return "appArmor unconfined"
		case annotation == corev1.DeprecatedAppArmorBetaProfileRuntimeDefault:
			return ""
		case strings.HasPrefix(annotation, corev1.DeprecatedAppArmorBetaProfileNamePrefix):
			return "appArmor " + Quote(annotation)
		}
		field = a.podSC.AppArmorProfile
	}
	switch {
	case field == nil || field.Type == corev1.AppArmorProfileTypeRuntimeDefault:
		return ""
	case field.Type == corev1.AppArmorProfileTypeUnconfined:
		return "appArmor unconfined"
	case field.Type == corev1.AppArmorProfileTypeLocalhost && field.LocalhostProfile != nil:
		return "appArmor localhost/" + Quote(*field.LocalhostProfile)
	default:
		return "appArmor type " + Quote(string(field.Type)) // which no server of today accepts
	}
}

// SELinux returns the line of SELinux options: those that are set, in a fixed order.
func SELinux(o *corev1.SELinuxOptions) string {
	words := []string{"seLinux"}
	for _, part := range [...]struct{ name, value string }{{"user", o.User}, {"role", o.Role}, {"type", o.Type}, {"level", o.Level}} {
		if part.value != "" {
			words = append(words, part.name+"="+quoteWord(part.value))
		}
	}
	return strings.Join(words, " ")
}
