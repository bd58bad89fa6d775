package manifest

import (
	"errors"
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// validate finds what no API server accepts and no policy could be made from.
func validate(meta *metav1.ObjectMeta, spec *corev1.PodSpec, path string) error {
	if meta.Name == "" {
		// A manifest to be created more than once.
		// The dash at the end tells it from an object of that name.
		meta.Name = meta.GenerateName
	}
	if meta.Name == "" {
		return errors.New("metadata.name: required")
	}
	if !observe.ValidNamespace(meta.Namespace) {
		return fmt.Errorf("metadata.namespace: %q cannot name a namespace", meta.Namespace)
	}
	if len(spec.Containers) == 0 {
		return fmt.Errorf("%s.containers: at least one is required", path)
	}
	return nil
}
