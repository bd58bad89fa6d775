package profile

// addHostPorts records the host ports of a container. Protocol and host address
// are left out: no policy engine of 1.24 looks at them
// (pkg/security/podsecuritypolicy/provider.go, hasInvalidHostPort). Port 0 is
// "no host port".
func (p *Profile) addHostPorts(c container) {
	for _, port := range c.Ports {
		if port.HostPort > 0 {
			p.HostPorts.add(ID{Set: true, Number: int64(port.HostPort)}, c.Name)
		}
	}
}
