package psp

import (
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

/*
Compared fields:

	spec.privileged
	spec.hostNetwork
	spec.hostPID
	spec.hostIPC
	spec.readOnlyRootFilesystem
	spec.allowPrivilegeEscalation
	spec.defaultAllowPrivilegeEscalation

Admitted values: see privileged.go, host.go and escalation.go. What a container leaves
unset is set to what the policy demands, or else to its default (provider.go,
mutateContainer).
*/

func (c *comparison) admitPrivileged() {
	if !c.policy.Spec.Privileged {
		c.exceeds("spec.privileged", "true", c.profile.Privileged.Uses(is(profile.True)))
	}
}

func (c *comparison) admitHostNamespaces() {
	for _, f := range []struct {
		field   string
		allowed bool
		used    profile.Set[profile.Flag]
	}{
		{"spec.hostNetwork", c.policy.Spec.HostNetwork, c.profile.HostNetwork},
		{"spec.hostPID", c.policy.Spec.HostPID, c.profile.HostPID},
		{"spec.hostIPC", c.policy.Spec.HostIPC, c.profile.HostIPC},
	} {
		if !f.allowed {
			c.exceeds(f.field, "true", f.used.Uses(is(profile.True)))
		}
	}
}

func (c *comparison) admitReadOnlyRootFilesystem() {
	if c.policy.Spec.ReadOnlyRootFilesystem {
		const field = "spec.readOnlyRootFilesystem"
		c.exceeds(field, "false", c.profile.ReadOnlyRootFilesystem.Uses(is(profile.False)))
		c.changes(field, "sets true", c.profile.ReadOnlyRootFilesystem.Uses(is(profile.Unset)))
	}
}

// sysAdmin is the only spelling with which a container must not set
// allowPrivilegeEscalation: false (pkg/apis/core/validation/validation.go,
// ValidateSecurityContext).
const sysAdmin = "CAP_SYS_ADMIN"

func (c *comparison) admitEscalation() {
	used, spec := c.profile.AllowPrivilegeEscalation, &c.policy.Spec
	field, set := "spec.allowPrivilegeEscalation", false
	if !spec.allowsEscalation() {
		c.exceeds(field, "true", used.Uses(is(profile.True)))
	} else if spec.DefaultAllowPrivilegeEscalation == nil {
		field = ""
	}
	if spec.DefaultAllowPrivilegeEscalation != nil {
		field, set = "spec.defaultAllowPrivilegeEscalation", *spec.DefaultAllowPrivilegeEscalation
	}
	unset := used.Uses(is(profile.Unset))
	invalid := profile.Uses(
		c.profile.Privileged.Uses(is(profile.True)),
		c.profile.AddedCapabilities.Uses(is[profile.Name](sysAdmin)),
		c.addedByDefault(sysAdmin),
	)
	switch {
	case field == "":
	case set:
		c.changes(field, "sets true", unset)
	default:
		c.exceeds(field, "true, as false is invalid with privileged or "+sysAdmin+",", both(unset, invalid))
		c.changes(field, "sets false", without(unset, invalid))
	}
	c.exceeds("spec.defaultAddCapabilities", "no "+sysAdmin+", as it is invalid with allowPrivilegeEscalation: false,",
		both(used.Uses(is(profile.False)), c.addedByDefault(sysAdmin)))
}

func (c *comparison) tightenFlags() {
	spec, need := &c.policy.Spec, &c.need.spec
	for _, f := range []struct {
		field           string
		written, needed bool
	}{
		{"spec.privileged", spec.Privileged, need.Privileged},
		{"spec.hostNetwork", spec.HostNetwork, need.HostNetwork},
		{"spec.hostPID", spec.HostPID, need.HostPID},
		{"spec.hostIPC", spec.HostIPC, need.HostIPC},
	} {
		if f.written && !f.needed {
			c.tighter(f.field, "true is written, nothing needs it")
		}
	}
	if !spec.ReadOnlyRootFilesystem && need.ReadOnlyRootFilesystem {
		c.tighter("spec.readOnlyRootFilesystem", "false is written, every container sets true")
	}
}

func (c *comparison) tightenEscalation() {
	spec := &c.policy.Spec
	if spec.allowsEscalation() && !c.need.spec.AllowPrivilegeEscalation {
		c.tighter("spec.allowPrivilegeEscalation", "true is "+writtenOrDefault(spec.AllowPrivilegeEscalation != nil)+", every container sets false")
	}
}

// writtenOrDefault says how a field got its value.
func writtenOrDefault(written bool) string {
	if written {
		return "written"
	}
	return "the default"
}
