package gatekeeper

import (
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Read reads the permits of a constraint that the engine wrote. Other objects have none.
func Read(w *cel.Written, t metav1.TypeMeta, decode func(into any) error) error {
	if schema.FromAPIVersionAndKind(t.APIVersion, t.Kind).GroupKind() != (schema.GroupKind{Group: constraintGroup, Kind: Kind}) {
		return nil
	}
	var o constraint
	if err := decode(&o); err != nil {
		return err
	}
	if err := w.Add(o.Spec.Parameters.Permits, o.Spec.Match.Namespaces...); err != nil {
		return fmt.Errorf("%s %q: %w", Kind, o.Name, err)
	}
	return nil
}
