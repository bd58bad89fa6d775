package psp

// hostPorts: exactly the ports used, neighbours merged into ranges. Only ports
// above 0 are judged (provider.go, hasInvalidHostPort).
func (d *draft) hostPorts() {
	d.spec.HostPorts = d.ranges("spec.hostPorts", d.profile.HostPorts)
}
