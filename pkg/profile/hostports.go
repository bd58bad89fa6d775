package profile

/*
Observed fields:

	spec.containers[*].ports[*].hostPort

Values: ports above 0; 0 means no host port.

HostPorts ignores protocol and hostIP: admission does not check them
(pkg/security/podsecuritypolicy/provider.go, hasInvalidHostPort). Ports has them.
*/

func (p *Profile) addHostPorts(c container) {
	for _, port := range c.Ports {
		if port.HostPort > 0 {
			p.HostPorts.add(ID{Set: true, Number: int64(port.HostPort)}, c.Name)
			p.Ports.add(Port{int64(port.HostPort), int64(port.ContainerPort), string(port.Protocol), port.HostIP}, c.Name)
		}
	}
}
