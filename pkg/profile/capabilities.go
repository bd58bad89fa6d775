package profile

/*
Observed fields:

	spec.containers[*].securityContext.capabilities.add
	spec.containers[*].securityContext.capabilities.drop

Values: each added capability; the whole list of drops of each container, because
only whole lists show what all containers drop.

Spelling is kept: admission compares literally
(pkg/security/podsecuritypolicy/capabilities/capabilities.go).
*/

func (p *Profile) addCapabilities(c container) {
	caps := c.sc.Capabilities
	if caps == nil {
		p.DroppedCapabilities.add(Names{}, c.Name)
		return
	}
	for _, a := range caps.Add {
		p.AddedCapabilities.add(Name(a), c.Name)
	}
	p.DroppedCapabilities.add(namesOf(caps.Drop), c.Name)
}
