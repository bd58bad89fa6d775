package psp

import "github.com/psp-advisor/psp-advisor/pkg/profile"

/*
Restricted fields:

	spec.hostNetwork
	spec.hostPID
	spec.hostIPC

Allowed values: true if a pod sets true, otherwise false (provider.go, ValidatePod).
*/

func (d *draft) hostNamespaces() {
	for _, f := range []struct {
		name  string
		field *bool
		set   profile.Set[profile.Flag]
	}{
		{"hostNetwork", &d.spec.HostNetwork, d.profile.HostNetwork},
		{"hostPID", &d.spec.HostPID, d.profile.HostPID},
		{"hostIPC", &d.spec.HostIPC, d.profile.HostIPC},
	} {
		if f.set.Has(profile.True) {
			*f.field = true
			d.usedBy("spec."+f.name, f.set.Uses(is(profile.True)))
		}
	}
}
