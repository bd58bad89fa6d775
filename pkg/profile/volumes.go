package profile

import (
	"cmp"
	"reflect"
	"strconv"
	"strings"

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
const ServiceAccountToken Name = "serviceAccountToken"

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

func (h HostPath) String() string {
	if h.Writable {
		return strconv.Quote(h.Path) + " writable"
	}
	return strconv.Quote(h.Path) + " read-only"
}

func (p *Profile) addVolumes(pod *corev1.Pod, containers []container) {
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if volumeType(&v.VolumeSource) == ServiceAccountToken {
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
	add(&p.Volumes, volumeType(&v.VolumeSource))
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

// volumeType returns the name of the volume's source field in the pod API. A
// volume without a source is an emptyDir (pkg/apis/core/v1/defaults.go,
// SetDefaults_Volume).
func volumeType(s *corev1.VolumeSource) Name {
	if s.Projected != nil && onlyToken(s.Projected) {
		return ServiceAccountToken
	}
	fields := reflect.ValueOf(s).Elem()
	for i := range fields.NumField() {
		if !fields.Field(i).IsNil() {
			name, _, _ := strings.Cut(fields.Type().Field(i).Tag.Get("json"), ",")
			return Name(name)
		}
	}
	return "emptyDir"
}

// onlyToken is IsOnlyServiceAccountTokenSources of 1.24
// (pkg/security/podsecuritypolicy/util/util.go): every source is the token at its
// usual path without an audience, the root certificate of the cluster, or the name
// of the namespace. It is true for a projection without sources.
func onlyToken(v *corev1.ProjectedVolumeSource) bool {
	for _, s := range v.Sources {
		if s.ServiceAccountToken == nil && s.ConfigMap == nil && s.DownwardAPI == nil {
			return false
		}
		if t := s.ServiceAccountToken; t != nil && (t.Path != "token" || t.Audience != "") {
			return false
		}
		if s.ConfigMap != nil && s.ConfigMap.Name != "kube-root-ca.crt" {
			return false
		}
		if s.DownwardAPI != nil && !onlyNamespace(s.DownwardAPI) {
			return false
		}
	}
	return true
}

func onlyNamespace(d *corev1.DownwardAPIProjection) bool {
	for _, item := range d.Items {
		// An empty apiVersion defaults to v1
		// (pkg/apis/core/v1/defaults.go, SetDefaults_ObjectFieldSelector).
		if item.Path != "namespace" || item.FieldRef == nil || item.FieldRef.FieldPath != "metadata.namespace" ||
			(item.FieldRef.APIVersion != "v1" && item.FieldRef.APIVersion != "") {
			return false
		}
	}
	return true
}
