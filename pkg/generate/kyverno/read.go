package kyverno

import (
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Read reads the permits of an object that the engine wrote. Other objects have none.
func Read(w *cel.Written, t metav1.TypeMeta, decode func(into any) error) error {
	switch schema.FromAPIVersionAndKind(t.APIVersion, t.Kind).GroupKind() {
	case schema.GroupKind{Kind: "Namespace"}:
		return w.ReadNamespace(decode)
	case schema.GroupKind{Group: group, Kind: kind}:
		return w.ReadPolicy(decode)
	default:
		return nil
	}
}
