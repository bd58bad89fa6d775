package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validate finds what no API server accepts and no policy could be made from.
// The path is that of the template.
func validate(x metav1.Object, pod *corev1.PodTemplateSpec, path *field.Path) error {
	if x.GetName() == "" {
		// A manifest to be created more than once.
		// The dash at the end distinguishes it from an object of that name.
		x.SetName(x.GetGenerateName())
	}
	switch {
	case x.GetName() == "":
		return errors.New("metadata.name: required")
	case !observe.ValidNamespace(x.GetNamespace()):
		return fmt.Errorf("metadata.namespace: %q is not a valid namespace name", x.GetNamespace())
	case len(pod.Spec.Containers) == 0:
		return fmt.Errorf("%s: at least one is required", path.Child("spec", "containers"))
	case isStored(x):
		return nil
	default:
		return checkPod(pod, path)
	}
}

// checkPod returns what is wrong with a pod, or with the template of one.
func checkPod(pod *corev1.PodTemplateSpec, path *field.Path) error {
	var problems []string
	for _, rule := range rules {
		for _, err := range rule(pod, path) {
			problems = append(problems, err.Error())
		}
	}
	switch {
	case len(problems) == 0:
		return nil
	case len(problems) > maxFields:
		problems = append(problems[:maxFields], fmt.Sprintf("and %d more", len(problems)-maxFields))
	}
	return errors.New(strings.Join(problems, "; "))
}

// uuid matches what a server gives every object that it stores.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// isStored reports whether a server returned the object: it is taken as it is. The
// rules of a newer server may be others, and those of an older one may have been.
func isStored(x metav1.Object) bool { return uuid.MatchString(string(x.GetUID())) }
