package profile

// addCapabilities records what a container adds, one value per capability, and
// what it drops, as one list: what all containers drop can be told only from
// whole lists. Spelling is kept, as admission compares literally
// (pkg/security/podsecuritypolicy/capabilities/capabilities.go).
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
