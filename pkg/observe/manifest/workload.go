package manifest

import (
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxObject is how large an object may be: no API server stores a larger one
// (k8s.io/apiserver, pkg/server/config.go, MaxRequestBodyBytes).
const maxObject = 3 << 20

// readTyped decodes and records an object of a kind that is read.
func (r *reader) readTyped(o object, t metav1.TypeMeta) error {
	kind := observe.GroupKind(t.APIVersion, t.Kind)
	if len(o.data) > maxObject {
		return fmt.Errorf("%s: larger than the %d MiB that an API server accepts", describe(kind.Kind, o.data), maxObject>>20)
	}
	x := newObject(kind.Kind)
	fields, err := r.decode(o, x)
	if err != nil {
		return fmt.Errorf("%s: %w", describe(kind.Kind, o.data), err)
	}
	return r.readDecoded(o, t, x, fields)
}

// decodeFirst decodes an object as what its beginning says that it is: mostly it is, and
// then it is decoded once. If it is another one after all, or has a mistake, x is nil.
func (r *reader) decodeFirst(o object, itemType metav1.TypeMeta) (t metav1.TypeMeta, x metav1.Object, fields []string) {
	if t = typeAtStart(o.data); t.Kind == "" {
		t = itemType
	}
	kind := observe.GroupKind(t.APIVersion, t.Kind)
	if t.APIVersion == "" || !observe.Reads(kind) || len(o.data) > maxObject {
		return t, nil, nil
	}
	decoded := newObject(kind.Kind)
	r.compacted = compact(r.compacted[:0], o.data)
	fields, _, problem := r.unmarshal(object{data: r.compacted, duplicates: o.duplicates}, decoded)
	if problem != "" {
		return t, nil, nil
	}
	said := typeOf(decoded)
	if said.Kind == "" {
		said = itemType
	}
	if said != t {
		return t, nil, nil
	}
	return t, decoded, fields
}

// typeOf returns the type that an object of a kind that is read says it has.
func typeOf(x metav1.Object) metav1.TypeMeta {
	if o, ok := x.(runtime.Object); ok {
		if t, ok := o.GetObjectKind().(*metav1.TypeMeta); ok {
			return *t
		}
	}
	return metav1.TypeMeta{}
}

// readDecoded records an object of a kind that is read.
func (r *reader) readDecoded(o object, t metav1.TypeMeta, x metav1.Object, fields []string) error {
	kind := observe.GroupKind(t.APIVersion, t.Kind)
	if x.GetNamespace() == "" {
		x.SetNamespace(r.namespace)
	}
	if template, path := templateOf(x); template != nil {
		if err := validate(x, template, path); err != nil {
			return fmt.Errorf("%s: %w", describe(kind.Kind, o.data), err)
		}
	}
	if err := r.checkFields(o, kind.Kind, currentFields(fields, t, kind)); err != nil {
		return err
	}
	r.record(x, kind, o.at)
	return nil
}

// newObject returns an object of a kind that is read, in the version that is served
// today. Those of older versions have the same fields, but for a few; see
// olderFields.
func newObject(kind string) metav1.Object {
	switch kind {
	case "Pod":
		return &corev1.Pod{}
	case "ServiceAccount":
		return &corev1.ServiceAccount{}
	case "PodTemplate":
		return &corev1.PodTemplate{}
	case "ReplicationController":
		return &corev1.ReplicationController{}
	case "Deployment":
		return &appsv1.Deployment{}
	case "ReplicaSet":
		return &appsv1.ReplicaSet{}
	case "StatefulSet":
		return &appsv1.StatefulSet{}
	case "DaemonSet":
		return &appsv1.DaemonSet{}
	case "Job":
		return &batchv1.Job{}
	default:
		return &batchv1.CronJob{}
	}
}

// templateOf returns the pod template of an object, and its path: of a pod, what a
// template has of it; nil of a service account.
func templateOf(x metav1.Object) (*corev1.PodTemplateSpec, *field.Path) {
	spec := field.NewPath("spec")
	switch x := x.(type) {
	case *corev1.Pod:
		return &corev1.PodTemplateSpec{ObjectMeta: x.ObjectMeta, Spec: x.Spec}, nil
	case *corev1.PodTemplate:
		return &x.Template, field.NewPath("template")
	case *corev1.ReplicationController:
		if x.Spec.Template == nil {
			return &corev1.PodTemplateSpec{}, spec.Child("template")
		}
		return x.Spec.Template, spec.Child("template")
	case *appsv1.Deployment:
		return &x.Spec.Template, spec.Child("template")
	case *appsv1.ReplicaSet:
		return &x.Spec.Template, spec.Child("template")
	case *appsv1.StatefulSet:
		return &x.Spec.Template, spec.Child("template")
	case *appsv1.DaemonSet:
		return &x.Spec.Template, spec.Child("template")
	case *batchv1.Job:
		return &x.Spec.Template, spec.Child("template")
	case *batchv1.CronJob:
		return &x.Spec.JobTemplate.Spec.Template, spec.Child("jobTemplate", "spec", "template")
	default:
		return nil, nil
	}
}

// record keeps what matters of an object that stands at a place.
func (r *reader) record(x metav1.Object, kind schema.GroupKind, at observe.Place) {
	if !isStored(x) {
		dropStatus(x)
	}
	if account, ok := x.(*corev1.ServiceAccount); ok {
		if observe.OptsOut(account) {
			r.accounts[aggregate.Account{Namespace: account.Namespace, Name: account.Name}] = true
		}
		return
	}
	if record := r.recorder.Record(x, kind); record != nil {
		record.Place = &at
		r.records = append(r.records, record)
	}
}

// dropStatus drops what the server resets when it creates an object: a pod or Job that
// is to be created has not completed, whatever its manifest says.
func dropStatus(x metav1.Object) {
	switch x := x.(type) {
	case *corev1.Pod:
		x.Status = corev1.PodStatus{}
	case *batchv1.Job:
		x.Status = batchv1.JobStatus{}
	}
}
