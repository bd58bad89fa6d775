package manifest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkSeccomp is validateSeccompProfileField.
func checkSeccomp(profile *corev1.SeccompProfile, path *field.Path) field.ErrorList {
	if profile == nil {
		return nil
	}
	known := []corev1.SeccompProfileType{corev1.SeccompProfileTypeLocalhost, corev1.SeccompProfileTypeRuntimeDefault, corev1.SeccompProfileTypeUnconfined}
	local := profile.LocalhostProfile
	switch isLocal := profile.Type == corev1.SeccompProfileTypeLocalhost; {
	case profile.Type == "":
		return field.ErrorList{field.Required(path.Child("type"), "type is required when seccompProfile is set")}
	case !slices.Contains(known, profile.Type):
		return field.ErrorList{field.NotSupported(path.Child("type"), profile.Type, known)}
	case isLocal && local == nil:
		return field.ErrorList{field.Required(path.Child("localhostProfile"), "must be set when seccomp type is Localhost")}
	case isLocal:
		return checkDescending(*local, path.Child("localhostProfile"))
	case local != nil:
		return field.ErrorList{field.Invalid(path.Child("localhostProfile"), *local, "can only be set when seccomp type is Localhost")}
	default:
		return nil
	}
}

// checkAnnotations is ValidateSeccompPodAnnotations and
// ValidateAppArmorProfileFormat.
func checkAnnotations(pod *corev1.PodTemplateSpec, path *field.Path) (errs field.ErrorList) {
	for _, key := range slices.Sorted(maps.Keys(pod.Annotations)) {
		value, path := pod.Annotations[key], path.Child("metadata", "annotations").Key(key)
		switch {
		case key == corev1.SeccompPodAnnotationKey, strings.HasPrefix(key, corev1.SeccompContainerAnnotationKeyPrefix):
			errs = append(errs, checkSeccompAnnotation(value, path)...)
		case strings.HasPrefix(key, corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix) && !isAppArmor(value):
			errs = append(errs, field.Invalid(path, value, fmt.Sprintf("invalid AppArmor profile name: %q", value)))
		}
	}
	return errs
}

func checkSeccompAnnotation(value string, path *field.Path) field.ErrorList {
	if local, ok := strings.CutPrefix(value, corev1.SeccompLocalhostProfileNamePrefix); ok {
		return checkDescending(local, path)
	}
	if !slices.Contains([]string{corev1.SeccompProfileRuntimeDefault, corev1.DeprecatedSeccompProfileDockerDefault, corev1.SeccompProfileNameUnconfined}, value) {
		return field.ErrorList{field.Invalid(path, value, "must be a valid seccomp profile")}
	}
	return nil
}

func isAppArmor(profile string) bool {
	known := []string{"", corev1.DeprecatedAppArmorBetaProfileRuntimeDefault, corev1.DeprecatedAppArmorBetaProfileNameUnconfined}
	return slices.Contains(known, profile) || strings.HasPrefix(profile, corev1.DeprecatedAppArmorBetaProfileNamePrefix)
}

// checkSeccompMatch is validateSeccompAnnotationsAndFields.
func checkSeccompMatch(pod *corev1.PodTemplateSpec, path *field.Path) (errs field.ErrorList) {
	match := func(key string, profile *corev1.SeccompProfile, path *field.Path) {
		if annotation, ok := pod.Annotations[key]; ok && profile != nil {
			errs = append(errs, matchSeccomp(annotation, profile, path.Child("securityContext", "seccompProfile"))...)
		}
	}
	if sc := pod.Spec.SecurityContext; sc != nil {
		match(corev1.SeccompPodAnnotationKey, sc.SeccompProfile, path.Child("spec"))
	}
	eachContainer(pod, path, func(c *corev1.Container, path *field.Path) {
		if c.SecurityContext != nil {
			match(corev1.SeccompContainerAnnotationKeyPrefix+c.Name, c.SecurityContext.SeccompProfile, path)
		}
	})
	return errs
}

func matchSeccomp(annotation string, profile *corev1.SeccompProfile, path *field.Path) field.ErrorList {
	local, isLocal := strings.CutPrefix(annotation, corev1.SeccompLocalhostProfileNamePrefix)
	same := true
	switch profile.Type {
	case corev1.SeccompProfileTypeUnconfined:
		same = annotation == corev1.SeccompProfileNameUnconfined
	case corev1.SeccompProfileTypeRuntimeDefault:
		same = annotation == corev1.SeccompProfileRuntimeDefault || annotation == corev1.DeprecatedSeccompProfileDockerDefault
	case corev1.SeccompProfileTypeLocalhost:
		if isLocal && (profile.LocalhostProfile == nil || *profile.LocalhostProfile != local) {
			return field.ErrorList{field.Forbidden(path.Child("localhostProfile"), "seccomp profile in annotation and field must match")}
		}
		same = isLocal
	}
	if same {
		return nil
	}
	return field.ErrorList{field.Forbidden(path.Child("type"), "seccomp type in annotation and field must match")}
}

// checkDescending is validateLocalDescendingPath.
func checkDescending(target string, at *field.Path) (errs field.ErrorList) {
	if path.IsAbs(target) {
		errs = append(errs, field.Invalid(at, target, "must be a relative path"))
	}
	return append(errs, checkBacksteps(target, at)...)
}
