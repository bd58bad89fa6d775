package privilege

import (
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

/*
Fields:

	spec.volumes[*]
	spec.containers[*].volumeMounts[*].{readOnly,mountPropagation}

Lines: "hostPath PATH", or "write hostPath PATH" if some container mounts the volume
without readOnly; "csi DRIVER" and "flexVolume DRIVER"; "volume KIND" for each other
kind, by the name of its field. The volume of a service account token is a kind of its
own, under "volume projected". "mountPropagation HostToContainer" is under
"mountPropagation Bidirectional".
*/

// ServiceAccountToken is the kind of a projected volume with the same sources as the
// volume of the token of a pod, and TokenVolume its line: admission adds one to pods
// that do not have it.
const (
	ServiceAccountToken = "serviceAccountToken"
	TokenVolume         = "volume " + ServiceAccountToken
)

func (a *asker) volumes() {
	for i := range a.pod.Spec.Volumes {
		v := &a.pod.Spec.Volumes[i]
		line := a.volume(v)
		mounted := false
		if line != TokenVolume {
			for _, c := range a.containers {
				if slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
					return m.Name == v.Name && (!m.ReadOnly || !strings.HasPrefix(line, "write "))
				}) {
					a.ask(c.Name, line)
					mounted = true
				}
			}
		}
		// Admission mounts the token in every container; a template does not have it yet
		// and must have the same evidence as its pods.
		a.askIf(!mounted, "", line)
	}
}

// volume returns the line of a volume.
func (a *asker) volume(v *corev1.Volume) string {
	switch {
	case v.HostPath != nil:
		return HostPath(v.HostPath.Path, a.writable(v.Name))
	case v.CSI != nil:
		return "csi " + Quote(v.CSI.Driver)
	case v.FlexVolume != nil:
		return "flexVolume " + Quote(v.FlexVolume.Driver)
	default:
		return "volume " + VolumeKind(&v.VolumeSource)
	}
}

// HostPath returns the line of a hostPath volume.
func HostPath(path string, write bool) string {
	line := "hostPath " + Quote(path)
	if write {
		line = "write " + line
	}
	return line
}

// writable reports whether some container mounts the volume without readOnly.
func (a *asker) writable(name string) bool {
	return slices.ContainsFunc(a.containers, func(c container) bool {
		return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == name && !m.ReadOnly })
	})
}

// VolumeKind returns the name of the source's field in the pod API, or
// ServiceAccountToken. A volume without a source is an emptyDir
// (pkg/apis/core/v1/defaults.go, SetDefaults_Volume).
func VolumeKind(s *corev1.VolumeSource) string {
	if s.Projected != nil && onlyToken(s.Projected) {
		return ServiceAccountToken
	}
	fields := reflect.ValueOf(s).Elem()
	for i, name := range volumeKinds {
		if !fields.Field(i).IsNil() {
			return name
		}
	}
	return "emptyDir"
}

// volumeKinds are the names of the fields of a volume's source.
var volumeKinds = namesIn(reflect.TypeFor[corev1.VolumeSource]())

func namesIn(fields reflect.Type) []string {
	var names []string
	for f := range fields.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// onlyToken reports whether every source of a projected volume is the token at its
// usual path without an audience, the root certificate of the cluster, or the name of
// the namespace: what every pod gets that does not refuse it
// (plugin/pkg/admission/serviceaccount/admission.go, TokenVolumeSource). It is
// IsOnlyServiceAccountTokenSources of 1.24
// (pkg/security/podsecuritypolicy/util/util.go), and true for a projection without
// sources.
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
		if s.DownwardAPI != nil && slices.ContainsFunc(s.DownwardAPI.Items, notNamespace) {
			return false
		}
	}
	return true
}

func notNamespace(item corev1.DownwardAPIVolumeFile) bool {
	// An empty apiVersion defaults to v1.
	return item.Path != "namespace" || item.FieldRef == nil || item.FieldRef.FieldPath != "metadata.namespace" ||
		(item.FieldRef.APIVersion != "v1" && item.FieldRef.APIVersion != "")
}

func (a *asker) mounts(c container) {
	for _, m := range c.VolumeMounts {
		if p := m.MountPropagation; p != nil && *p != corev1.MountPropagationNone {
			a.ask(c.Name, "mountPropagation "+Quote(string(*p)))
		}
	}
}
