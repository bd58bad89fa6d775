package podsecurity

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// lastSeccompAnnotations is the last minor whose server sets seccompProfile from the
// annotations that it replaced (pkg/registry/core/pod/strategy.go,
// applySeccompVersionSkew, which 1.27 removed). Admission sees the pod after that.
const lastSeccompAnnotations = 26

// viewsOf returns the pod as admission sees it, in the ranges of minors in which it
// differs.
func viewsOf(meta *metav1.ObjectMeta, spec *corev1.PodSpec) []view {
	spec = withSources(spec)
	if old := withSeccomp(meta, spec); old != nil {
		return []view{{span{First, lastSeccompAnnotations}, meta, old}, {span{lastSeccompAnnotations + 1, Latest}, meta, spec}}
	}
	return []view{{span{First, Latest}, meta, spec}}
}

// withSources returns the pod with an emptyDir for each volume without a source, as
// the server stores it (pkg/apis/core/v1/defaults.go, SetDefaults_Volume).
func withSources(spec *corev1.PodSpec) *corev1.PodSpec {
	missing := func(v corev1.Volume) bool { return v.VolumeSource == (corev1.VolumeSource{}) }
	if !slices.ContainsFunc(spec.Volumes, missing) {
		return spec
	}
	stored := *spec
	stored.Volumes = slices.Clone(spec.Volumes)
	for i := range stored.Volumes {
		if missing(stored.Volumes[i]) {
			stored.Volumes[i].EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
	}
	return &stored
}

// withSeccomp returns the pod with the seccomp profiles of its annotations in the
// fields that are unset; nil if it has none.
func withSeccomp(meta *metav1.ObjectMeta, spec *corev1.PodSpec) *corev1.PodSpec {
	annotated := false
	for key := range meta.Annotations {
		if key == corev1.SeccompPodAnnotationKey || strings.HasPrefix(key, corev1.SeccompContainerAnnotationKeyPrefix) {
			annotated = true
		}
	}
	if !annotated {
		return nil
	}
	spec = spec.DeepCopy()
	if own := seccompField(meta.Annotations[corev1.SeccompPodAnnotationKey]); own != nil {
		if spec.SecurityContext == nil {
			spec.SecurityContext = &corev1.PodSecurityContext{}
		}
		if spec.SecurityContext.SeccompProfile == nil {
			spec.SecurityContext.SeccompProfile = own
		}
	}
	set := func(name string, sc **corev1.SecurityContext) {
		own := seccompField(meta.Annotations[corev1.SeccompContainerAnnotationKeyPrefix+name])
		if own == nil {
			return
		}
		if *sc == nil {
			*sc = &corev1.SecurityContext{}
		}
		if (*sc).SeccompProfile == nil {
			(*sc).SeccompProfile = own
		}
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			set(list[i].Name, &list[i].SecurityContext)
		}
	}
	for i := range spec.EphemeralContainers {
		set(spec.EphemeralContainers[i].Name, &spec.EphemeralContainers[i].SecurityContext)
	}
	return spec
}

// seccompField returns the field that says the same as an annotation, or nil if none
// does (pkg/api/pod/util.go, SeccompFieldForAnnotation, 1.24).
func seccompField(annotation string) *corev1.SeccompProfile {
	file, local := strings.CutPrefix(annotation, corev1.SeccompLocalhostProfileNamePrefix)
	switch {
	case annotation == corev1.SeccompProfileNameUnconfined:
		return &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
	case annotation == corev1.SeccompProfileRuntimeDefault, annotation == corev1.DeprecatedSeccompProfileDockerDefault:
		return &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	case local && file != "":
		return &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: &file}
	default:
		return nil
	}
}
