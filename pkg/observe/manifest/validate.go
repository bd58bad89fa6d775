package manifest

import (
	"errors"
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// validate finds what no API server accepts and no policy could be made from.
func validate(x metav1.Object) error {
	template, path := templateOf(x)
	if template == nil {
		return nil
	}
	if x.GetName() == "" {
		// A manifest to be created more than once.
		// The dash at the end tells it from an object of that name.
		x.SetName(x.GetGenerateName())
	}
	switch {
	case x.GetName() == "":
		return errors.New("metadata.name: required")
	case !observe.ValidNamespace(x.GetNamespace()):
		return fmt.Errorf("metadata.namespace: %q cannot name a namespace", x.GetNamespace())
	case len(template.Spec.Containers) == 0:
		return fmt.Errorf("%s: at least one is required", path.Child("spec", "containers"))
	default:
		return nil
	}
}
