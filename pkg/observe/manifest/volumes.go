package manifest

import (
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkVolumes is validateVolumeSource, with validateHostPathVolumeSource,
// validateFlexVolumeSource and ValidateCSIDriverName.
func checkVolumes(pod *corev1.PodTemplateSpec, path *field.Path) (errs field.ErrorList) {
	for i := range pod.Spec.Volumes {
		v, path := &pod.Spec.Volumes[i], path.Child("spec", "volumes").Index(i)
		types := volumeTypes(&v.VolumeSource)
		for _, t := range types[min(len(types), 1):] {
			errs = append(errs, field.Forbidden(path.Child(t), "may not specify more than 1 volume type"))
		}
		switch {
		case v.HostPath != nil && v.HostPath.Path == "":
			errs = append(errs, field.Required(path.Child("hostPath", "path"), ""))
		case v.HostPath != nil:
			errs = append(errs, checkBacksteps(v.HostPath.Path, path.Child("hostPath", "path"))...)
		case v.FlexVolume != nil && v.FlexVolume.Driver == "":
			errs = append(errs, field.Required(path.Child("flexVolume", "driver"), ""))
		case v.CSI != nil:
			errs = append(errs, checkCSIDriver(v.CSI.Driver, path.Child("csi", "driver"))...)
		}
	}
	return errs
}

func checkCSIDriver(name string, path *field.Path) (errs field.ErrorList) {
	const maxLength = 63
	switch {
	case name == "":
		return field.ErrorList{field.Required(path, "")}
	case len(name) > maxLength:
		errs = append(errs, field.TooLong(path, name, maxLength))
	}
	return append(errs, invalid(path, name, validation.IsDNS1123Subdomain(strings.ToLower(name)))...)
}

// checkBacksteps is validatePathNoBacksteps.
func checkBacksteps(target string, path *field.Path) field.ErrorList {
	if slices.Contains(strings.Split(target, "/"), "..") {
		return field.ErrorList{field.Invalid(path, target, "must not contain '..'")}
	}
	return nil
}

// volumeTypes returns the names of the types that a volume has, as in its type.
func volumeTypes(source *corev1.VolumeSource) []string {
	var types []string
	for f, v := range reflect.ValueOf(source).Elem().Fields() {
		if !v.IsNil() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			types = append(types, name)
		}
	}
	return types
}
