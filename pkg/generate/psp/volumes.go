package psp

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

/*
Restricted fields:

	spec.volumes[*]
	spec.volumes[*].flexVolume.driver
	spec.volumes[*].csi.driver

Allowed values: the volume types and drivers in use.

The secret type allows the token volume of a pod (provider.go, allowsVolumeType) and
is tighter than projected. If another volume needs projected, that allows the token
volume too. An empty list of drivers allows every driver, but it is empty only if the
volume type is not allowed (provider.go, validatePodVolumes).
*/

// Volume types of a policy that allow more than the type with their name.
const (
	secretVolume    = "secret"
	projectedVolume = "projected"
)

// spellings are the volume types whose name in a policy differs from the field in a
// pod (k8s.io/api v0.24 policy/v1beta1/types.go).
var spellings = map[profile.Name]profile.Name{"cephfs": "cephFS"}

// unknownVolumes are volume types that 1.24 does not have: the API rejects a policy
// that lists them.
var unknownVolumes = []profile.Name{"image"}

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
