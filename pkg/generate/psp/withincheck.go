package psp

/*
Checked fields: those of pkg/apis/policy/validation/validation.go, for which the API
rejects a policy, and those for which admission ignores a policy
(pkg/security/podsecuritypolicy/factory.go). The spelling of names of capabilities,
drivers, classes and sysctls is not checked.
*/

func (c *comparison) checkPolicy() {
	spec := &c.policy.Spec
	if d := spec.DefaultAllowPrivilegeEscalation; d != nil && *d && !spec.allowsEscalation() {
		c.fault("spec.defaultAllowPrivilegeEscalation", "true requires allowPrivilegeEscalation: true")
	}
	c.checkIDs()
	c.checkSELinux()
	c.checkCapabilities()
	c.checkVolumes()
	c.checkHostPaths()
	c.checkSysctls()
	c.checkClasses()
	c.checkProfiles()
}
