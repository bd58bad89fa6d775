package psp

/*
Restricted fields:

	spec.containers[*].ports[*].hostPort

Allowed values: the ports in use, consecutive ones as one range. Port 0 is always
allowed (provider.go, hasInvalidHostPort).
*/

func (d *draft) hostPorts() {
	d.spec.HostPorts = d.ranges("spec.hostPorts", d.profile.HostPorts)
}
