package manifest

import (
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// rules find what no server runs and no policy can allow: they are those that
// Kubernetes 1.24 has for the fields that a profile holds, and say where in
// pkg/apis/core/validation/validation.go (v1.24.17) they are from. The path is that
// of the template, nil for a pod.
var rules = []func(pod *corev1.PodTemplateSpec, path *field.Path) field.ErrorList{
	checkVolumes,
	checkNames,
	checkPodSecurity,
	checkContainers,
	checkHostNetwork,
	checkAnnotations,
	checkSeccompMatch,
}

// checkNames is ValidatePodSpec.
func checkNames(pod *corev1.PodTemplateSpec, path *field.Path) (errs field.ErrorList) {
	path = path.Child("spec")
	// The deprecated field stands in for the other one
	// (pkg/apis/core/v1/conversion.go).
	account := pod.Spec.ServiceAccountName
	if account == "" {
		account = pod.Spec.DeprecatedServiceAccount
	}
	if account != "" {
		errs = append(errs, invalid(path.Child("serviceAccountName"), account, apivalidation.ValidateServiceAccountName(account, false))...)
	}
	if class := pod.Spec.RuntimeClassName; class != nil {
		errs = append(errs, invalid(path.Child("runtimeClassName"), *class, apivalidation.NameIsDNSSubdomain(*class, false))...)
	}
	return errs
}

func checkID(path *field.Path, id *int64, check func(int64) []string) field.ErrorList {
	if id == nil {
		return nil
	}
	return invalid(path, *id, check(*id))
}

// invalid returns an error for each thing that is wrong with a value.
func invalid(path *field.Path, value any, problems []string) (errs field.ErrorList) {
	for _, p := range problems {
		errs = append(errs, field.Invalid(path, value, p))
	}
	return errs
}

// eachContainer visits the containers that a pod may have from the beginning.
func eachContainer(pod *corev1.PodTemplateSpec, path *field.Path, visit func(*corev1.Container, *field.Path)) {
	for i := range pod.Spec.InitContainers {
		visit(&pod.Spec.InitContainers[i], path.Child("spec", "initContainers").Index(i))
	}
	for i := range pod.Spec.Containers {
		visit(&pod.Spec.Containers[i], path.Child("spec", "containers").Index(i))
	}
}
