package psp

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Volume types of a policy that take more than their name.
const (
	secretVolume    = "secret"
	projectedVolume = "projected"
)

// spellings are the volume types whose name in a policy differs from the field's
// name in a pod (k8s.io/api v0.24 policy/v1beta1/types.go).
var spellings = map[profile.Name]profile.Name{"cephfs": "cephFS"}

// unknownVolumes are volume types that 1.24 does not have: no policy can allow
// them, and the API would refuse one that names them.
var unknownVolumes = []profile.Name{"image"}

// volumes: the types used. The token volume that every pod gets is admitted by
// secret (provider.go, allowsVolumeType), which is tighter than projected; where
// another volume needs projected anyway, that covers the token too.
func (d *draft) volumes() {
	used := d.profile.Volumes
	known := used.Where(func(v profile.Name) bool { return !slices.Contains(unknownVolumes, v) })
	types := profile.Map(known, func(v profile.Name) profile.Name { return volumeType(v, used.Has(projectedVolume)) })
	for i, it := range types.Items() {
		d.spec.Volumes = append(d.spec.Volumes, string(it.Value))
		d.usedBy(generate.Item("spec.volumes", i), it.Uses)
	}
}

func volumeType(v profile.Name, projected bool) profile.Name {
	if v == profile.ServiceAccountToken {
		if projected {
			return projectedVolume
		}
		return secretVolume
	}
	if spelling, ok := spellings[v]; ok {
		return spelling
	}
	return v
}

// drivers: the FlexVolume and inline CSI drivers used. An empty list allows any
// driver, but only of a volume type that is then not allowed (provider.go,
// validatePodVolumes).
func (d *draft) drivers() {
	for i, it := range d.profile.FlexVolumeDrivers.Items() {
		d.spec.AllowedFlexVolumes = append(d.spec.AllowedFlexVolumes, allowedFlexVolume{Driver: string(it.Value)})
		d.usedBy(generate.Item("spec.allowedFlexVolumes", i), it.Uses)
	}
	for i, it := range d.profile.CSIDrivers.Items() {
		d.spec.AllowedCSIDrivers = append(d.spec.AllowedCSIDrivers, allowedCSIDriver{Name: string(it.Value)})
		d.usedBy(generate.Item("spec.allowedCSIDrivers", i), it.Uses)
	}
}
