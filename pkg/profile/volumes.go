package profile

import (
	"cmp"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	corev1 "k8s.io/api/core/v1"
)

/*
Observed fields:

	spec.volumes[*]
	spec.volumes[*].hostPath.path
	spec.volumes[*].flexVolume.driver
	spec.volumes[*].csi.driver
	spec.containers[*].volumeMounts[*].readOnly

Values: the type of each volume; the path of each hostPath volume and whether it is
writable; the driver of each flexVolume and inline csi volume.
*/

// ServiceAccountToken is the volume type of a projected volume with the same sources
// as the token volume of a pod. A policy that allows secret volumes admits it.
const ServiceAccountToken Name = privilege.ServiceAccountToken

// UnknownVolume is the type of a volume whose source is newer than the API of this
// version. No policy admits it.
const UnknownVolume Name = "unknown"

// HostPath is one hostPath volume of a pod and how it is mounted.
type HostPath struct {
	Path string `json:"path"`
	// Writable is true if some container mounts the volume without readOnly. An
	// unmounted volume is not writable.
	Writable bool `json:"writable"`
}

// Compare orders by path, read-only first.
func (h HostPath) Compare(o HostPath) int {
	return cmp.Or(strings.Compare(h.Path, o.Path), presence(h.Writable).Compare(presence(o.Writable)))
}

// Append appends the text of the path.
func (h HostPath) Append(b []byte) []byte {
	b = appendQuoted(b, h.Path)
	if h.Writable {
		return append(b, " writable"...)
	}
	return append(b, " read-only"...)
}

func (h HostPath) String() string { return string(h.Append(nil)) }

func (p *Profile) addVolumes(pod *corev1.Pod, containers []container) {
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if volumeType(v) == ServiceAccountToken {
			// Admission mounts it in every container. A template, which does not
			// have it yet, must have the same evidence as its pods.
			p.addVolume(v, nil)
			continue
		}
		p.addVolume(v, mountsOf(v.Name, containers))
	}
}

// mount is a mount of one volume by one container.
type mount struct {
	container string
	readOnly  bool
}

func mountsOf(volume string, containers []container) []mount {
	var list []mount
	for _, c := range containers {
		for _, m := range c.VolumeMounts {
			if m.Name == volume {
				list = append(list, mount{c.Name, m.ReadOnly})
			}
		}
	}
	return list
}

func (p *Profile) addVolume(v *corev1.Volume, mounts []mount) {
	add := func(set *Set[Name], n Name) {
		set.add(n, "")
		for _, m := range mounts {
			set.add(n, m.container)
		}
	}
	add(&p.Volumes, volumeType(v))
	switch {
	case v.HostPath != nil:
		h := HostPath{Path: v.HostPath.Path}
		for _, m := range mounts {
			h.Writable = h.Writable || !m.readOnly
		}
		p.HostPaths.add(h, "")
		for _, m := range mounts {
			if !m.readOnly || !h.Writable {
				p.HostPaths.add(h, m.container)
			}
		}
	case v.FlexVolume != nil:
		add(&p.FlexVolumeDrivers, Name(v.FlexVolume.Driver))
	case v.CSI != nil:
		add(&p.CSIDrivers, Name(v.CSI.Driver))
	}
}

func volumeType(v *corev1.Volume) Name { return Name(privilege.VolumeKind(&v.VolumeSource)) }
