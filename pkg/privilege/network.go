package privilege

import (
	"cmp"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

/*
Fields:

	spec.containers[*].ports[*].{hostPort,protocol,hostIP}

Lines: "hostPort 80/TCP"; "hostPort 80/TCP on 10.0.0.1", which is under the former.
In a pod with hostNetwork, every port of a container is a port of the host: the API
server sets hostPort (pkg/apis/core/v1/defaults.go, defaultHostNetworkPorts).
*/

func (a *asker) hostPorts(c container) {
	for _, p := range c.Ports {
		if p.HostPort <= 0 {
			continue
		}
		a.ask(c.Name, HostPort(int64(p.HostPort), string(cmp.Or(p.Protocol, corev1.ProtocolTCP)), p.HostIP))
	}
}

// HostPort returns the line of a port of the host, on one of its addresses or, if that is
// empty, on all.
func HostPort(port int64, protocol, address string) string {
	line := "hostPort " + strconv.FormatInt(port, 10) + "/" + Quote(protocol)
	if address != "" {
		line += " on " + Quote(address)
	}
	return line
}

/*
Fields:

	spec.containers[*].{liveness,readiness,startup}Probe.{httpGet,tcpSocket}.host
	spec.containers[*].lifecycle.{postStart,preStop}.{httpGet,tcpSocket}.host

Lines: "probe host HOST": the kubelet, which is on the host's network, connects there.
*/

func (a *asker) probes(c container) {
	for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if p != nil {
			a.probe(c, p.HTTPGet, p.TCPSocket)
		}
	}
	if c.Lifecycle != nil {
		for _, l := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
			if l != nil {
				a.probe(c, l.HTTPGet, l.TCPSocket)
			}
		}
	}
}

func (a *asker) probe(c container, http *corev1.HTTPGetAction, tcp *corev1.TCPSocketAction) {
	if http != nil && http.Host != "" {
		a.ask(c.Name, "probe host "+Quote(http.Host))
	}
	if tcp != nil && tcp.Host != "" {
		a.ask(c.Name, "probe host "+Quote(tcp.Host))
	}
}
