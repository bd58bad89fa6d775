package psp

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

/*
Compared fields:

	spec.volumes
	spec.allowedFlexVolumes
	spec.allowedCSIDrivers

Admitted values: see volumes.go. An empty list of drivers allows every driver of a
volume type that is allowed (provider.go, validatePodVolumes, allowsVolumeType).
*/

// knownVolumes are the types that a policy can list (k8s.io/api v0.24
// policy/v1beta1/types.go).
var knownVolumes = []string{
	"awsElasticBlockStore", "azureDisk", "azureFile", "cephFS", "cinder", "configMap", "csi", "downwardAPI", "emptyDir",
	"ephemeral", "fc", "flexVolume", "flocker", "gcePersistentDisk", "gitRepo", "glusterfs", "hostPath", "iscsi", "nfs",
	"persistentVolumeClaim", "photonPersistentDisk", "portworxVolume", "projected", "quobyte", "rbd", "scaleIO", "secret",
	"storageos", "vsphereVolume",
}

func (s *writtenSpec) allowsVolume(v profile.Name) bool {
	if slices.Contains(unknownVolumes, v) {
		return false
	}
	return slices.Contains(s.Volumes, wildcard) ||
		slices.Contains(s.Volumes, string(volumeType(v, false))) ||
		v == profile.ServiceAccountToken && slices.Contains(s.Volumes, projectedVolume)
}

func (c *comparison) admitVolumes() {
	exceedsEach(c, "spec.volumes", c.profile.Volumes, func(v profile.Name) string {
		if v == profile.ServiceAccountToken {
			return quote(secretVolume) + ", for the service account token,"
		}
		return quote(volumeType(v, true))
	}, c.policy.Spec.allowsVolume)
}

func (c *comparison) admitDrivers() {
	for _, f := range c.driverFields() {
		if len(f.written) > 0 {
			exceedsEach(c, f.field, f.used, func(n profile.Name) string { return quote(n) }, func(n profile.Name) bool {
				return slices.Contains(f.written, string(n))
			})
		}
	}
}

// driverField is a list of drivers with those in use.
type driverField struct {
	field   string
	volume  profile.Name
	written []string
	used    profile.Set[profile.Name]
}

func (c *comparison) driverFields() []driverField {
	flex := driverField{"spec.allowedFlexVolumes", "flexVolume", nil, c.profile.FlexVolumeDrivers}
	for _, d := range c.policy.Spec.AllowedFlexVolumes {
		flex.written = append(flex.written, d.Driver)
	}
	csi := driverField{"spec.allowedCSIDrivers", "csi", nil, c.profile.CSIDrivers}
	for _, d := range c.policy.Spec.AllowedCSIDrivers {
		csi.written = append(csi.written, d.Name)
	}
	return []driverField{flex, csi}
}

func (c *comparison) checkVolumes() {
	for _, v := range unique(c.policy.Spec.Volumes) {
		if v != wildcard && !slices.Contains(knownVolumes, v) {
			c.fault("spec.volumes", quote(v)+" is no volume type")
		}
	}
}

func (c *comparison) tightenVolumes() {
	const field = "spec.volumes"
	needed := c.need.spec.Volumes
	for _, v := range unique(c.policy.Spec.Volumes) {
		switch {
		case slices.Contains(needed, v):
		case v == wildcard && len(needed) > 0:
			c.tighter(field, "'*' is written, only "+enough(needed)+" is needed")
		case v == projectedVolume && !slices.Contains(c.policy.Spec.Volumes, secretVolume) && slices.Contains(needed, secretVolume):
			c.tighter(field, quote(v)+" is written, "+quote(secretVolume)+" is enough for the service account token")
		default:
			c.unneeded(field, v)
		}
	}
}

// needsVolume reports whether the policy allows a volume type that is needed, so that
// its other lists have an effect. What a type allows that is not needed is not worth a
// line of its own.
func (c *comparison) needsVolume(v profile.Name) bool {
	return c.policy.Spec.allowsVolume(v) && slices.Contains(c.need.spec.Volumes, string(v))
}

func (c *comparison) tightenDrivers() {
	needed := []profile.Set[profile.Name]{c.need.profile.FlexVolumeDrivers, c.need.profile.CSIDrivers}
	for i, f := range c.driverFields() {
		switch {
		case !c.needsVolume(f.volume):
		case len(f.written) == 0:
			c.tighter(f.field, "every driver is allowed, only "+enough(needed[i].Values())+" is needed")
		default:
			for _, driver := range unique(f.written) {
				if !needed[i].Has(profile.Name(driver)) {
					c.unneeded(f.field, driver)
				}
			}
		}
	}
}
