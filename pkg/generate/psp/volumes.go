package psp

import (
	"slices"
	"strings"

	pspv1beta1 "github.com/psp-advisor/psp-advisor/pkg/apis/psp/v1beta1"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// fsTypes are the volume types whose name in a policy differs from the field's
// name in a pod (k8s.io/api v0.28 policy/v1beta1/types.go).
var fsTypes = map[profile.Name]pspv1beta1.FSType{
	"cephfs": pspv1beta1.CephFS,
}

// unknownToPSP are volume types that 1.24 does not have: no policy can allow
// them, and the API would refuse one that names them.
var unknownToPSP = []profile.Name{"image"}

// volumes: the types used. The token volume that every pod gets is admitted by
// secret (provider.go, allowsVolumeType), which is tighter than projected; where
// another volume needs projected anyway, that covers the token too.
func (d *draft) volumes() {
	used := d.profile.Volumes
	set := func(p *profile.Profile) profile.Set[profile.Name] { return p.Volumes }
	reasons := map[pspv1beta1.FSType][]profile.Name{}
	for _, v := range used.Values() {
		if slices.Contains(unknownToPSP, v) {
			continue
		}
		t := fsType(v, used.Has("projected"))
		reasons[t] = append(reasons[t], v)
	}
	for t := range reasons {
		d.spec.Volumes = append(d.spec.Volumes, t)
	}
	slices.Sort(d.spec.Volumes)
	for _, t := range d.spec.Volumes {
		because(d, "volumes", usedBy(string(t)), set, func(v profile.Name) bool { return slices.Contains(reasons[t], v) })
	}
}

func fsType(v profile.Name, projected bool) pspv1beta1.FSType {
	if v == profile.ServiceAccountToken {
		if projected {
			return pspv1beta1.Projected
		}
		return pspv1beta1.Secret
	}
	if t, ok := fsTypes[v]; ok {
		return t
	}
	return pspv1beta1.FSType(v)
}

// hostPaths: the paths used, each read-only unless some container mounts it
// writable, less those that another used path covers. Never a parent that nobody
// uses. The list is empty only when no pod has a hostPath: with the volume type
// allowed, an empty list would allow every path
// (pkg/security/podsecuritypolicy/util/util.go, AllowsHostVolumePath).
func (d *draft) hostPaths() {
	used := d.profile.HostPaths.Values()
	set := func(p *profile.Profile) profile.Set[profile.HostPath] { return p.HostPaths }
	for i, h := range used {
		covered := false
		for j, o := range used {
			// Of two that cover each other, such as /a and /a/, the first stays.
			covered = covered || j != i && covers(o, h) && (j < i || !covers(h, o))
		}
		if covered {
			continue
		}
		d.spec.AllowedHostPaths = append(d.spec.AllowedHostPaths, pspv1beta1.AllowedHostPath{PathPrefix: h.Path, ReadOnly: !h.Writable})
		because(d, "allowedHostPaths", usedBy(h.String()), set, func(o profile.HostPath) bool { return covers(h, o) })
	}
}

// covers reports whether a policy entry made from h admits o.
func covers(h, o profile.HostPath) bool {
	return hasPathPrefix(o.Path, h.Path) && (h.Writable || !o.Writable)
}

// hasPathPrefix is hasPathPrefix of pkg/security/podsecuritypolicy/util/util.go:
// one trailing slash is dropped from both, and the prefix ends at a segment.
func hasPathPrefix(path, prefix string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(path, "/"), strings.TrimSuffix(prefix, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// drivers: the FlexVolume and inline CSI drivers used. An empty list allows any
// driver, but only of a volume type that is then not allowed (provider.go,
// validatePodVolumes).
func (d *draft) drivers() {
	for _, name := range d.profile.FlexVolumeDrivers.Values() {
		d.spec.AllowedFlexVolumes = append(d.spec.AllowedFlexVolumes, pspv1beta1.AllowedFlexVolume{Driver: string(name)})
		because(d, "allowedFlexVolumes", usedBy(string(name)),
			func(p *profile.Profile) profile.Set[profile.Name] { return p.FlexVolumeDrivers }, is(name))
	}
	for _, name := range d.profile.CSIDrivers.Values() {
		d.spec.AllowedCSIDrivers = append(d.spec.AllowedCSIDrivers, pspv1beta1.AllowedCSIDriver{Name: string(name)})
		because(d, "allowedCSIDrivers", usedBy(string(name)),
			func(p *profile.Profile) profile.Set[profile.Name] { return p.CSIDrivers }, is(name))
	}
}
