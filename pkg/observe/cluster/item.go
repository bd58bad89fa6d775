package cluster

import (
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// item is all that an informer holds of an object: its record, and what the
// informer itself asks for. The object is left to the garbage collector before
// the informer ever sees it.
type item struct {
	observe.Record
	// key is the object's own name: the record of a mirror pod has another one.
	key             string
	resourceVersion string
}

func newItem(object metav1.Object, r *observe.Record) *item {
	return &item{Record: *r, key: object.GetName(), resourceVersion: object.GetResourceVersion()}
}

// GetObjectMeta implements metav1.ObjectMetaAccessor. The metadata is made when
// asked for, because it is many times the size of an item.
func (i *item) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: i.Namespace, Name: i.key, UID: i.UID, ResourceVersion: i.resourceVersion}
}

// GetObjectKind implements runtime.Object.
func (i *item) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. What a record points to never
// changes, so it is shared.
func (i *item) DeepCopyObject() runtime.Object {
	c := *i
	return &c
}

// share makes an item point to what it has in common with another record: lists
// come in the order of names, where the pods of a workload stand together.
func (i *item) share(other *observe.Record) {
	r := &i.Record
	if r.Namespace == other.Namespace {
		r.Namespace = other.Namespace
	}
	if r.ServiceAccount == other.ServiceAccount {
		r.ServiceAccount = other.ServiceAccount
	}
	if r.Controller != nil && other.Controller != nil && *r.Controller == *other.Controller {
		r.Controller = other.Controller
	}
}

// same reports whether nothing changed between two records of an object.
// Profiles are interned, so the pointers tell.
func (i *item) same(other *observe.Record) bool {
	a, b := i.Record, *other
	if a.Controller != nil && b.Controller != nil && *a.Controller == *b.Controller {
		a.Controller = b.Controller
	}
	return a == b
}
