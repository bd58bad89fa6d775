package vap

import (
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Read reads the permits of an object that the engine wrote. Other objects have none.
func Read(w *cel.Written, t metav1.TypeMeta, decode func(into any) error) error {
	switch schema.FromAPIVersionAndKind(t.APIVersion, t.Kind).GroupKind() {
	case schema.GroupKind{Kind: "Namespace"}:
		return w.ReadNamespace(decode)
	case schema.GroupKind{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicy"}:
		return w.ReadPolicy(decode)
	case schema.GroupKind{Group: group, Kind: kind}:
		var o podPermits
		if err := decode(&o); err != nil {
			return err
		}
		if o.Namespace == "" {
			o.Namespace = metav1.NamespaceDefault
		}
		if err := w.Add(o.Spec.Permits, o.Namespace); err != nil {
			return fmt.Errorf("%s %q: %w", kind, o.Namespace+"/"+o.Name, err)
		}
	}
	return nil
}
