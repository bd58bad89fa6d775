package psp

import (
	pspv1beta1 "github.com/psp-advisor/psp-advisor/pkg/apis/psp/v1beta1"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// hostPorts: exactly the ports used, neighbours merged into ranges. Only ports
// above 0 are judged (provider.go, hasInvalidHostPort).
func (d *draft) hostPorts() {
	for _, r := range ranges(d.profile.HostPorts) {
		d.spec.HostPorts = append(d.spec.HostPorts, pspv1beta1.HostPortRange{
			Min: int32(r.Min), Max: int32(r.Max), //nolint:gosec // the numbers come from int32 fields
		})
		because(d, "hostPorts", usedBy(r.String()), func(p *profile.Profile) profile.Set[profile.ID] { return p.HostPorts }, r.has)
	}
}
