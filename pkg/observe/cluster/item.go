package cluster

import (
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// item is what an informer stores of an object: its record, and what the informer
// itself needs. The informer never has the object.
type item struct {
	observe.Record
	// key is the name of the object: that in the record of a mirror pod differs.
	key             string
	resourceVersion string
}

func newItem(object metav1.Object, r *observe.Record) *item {
	return &item{Record: *r, key: object.GetName(), resourceVersion: object.GetResourceVersion()}
}

// GetObjectMeta implements metav1.ObjectMetaAccessor. The metadata is created for each
// call, because it is many times the size of an item.
func (i *item) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: i.Namespace, Name: i.key, UID: i.UID, ResourceVersion: i.resourceVersion}
}

// GetObjectKind implements runtime.Object.
func (i *item) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. The copy shares what the record points to,
// which never changes.
func (i *item) DeepCopyObject() runtime.Object {
	c := *i
	return &c
}

// share makes the item share memory with an equal part of another record. Lists are
// sorted by name, so the pods of a workload are adjacent.
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

// same reports whether two records of an object are equal. Profiles are interned, so
// their pointers are compared.
func (i *item) same(other *observe.Record) bool {
	a, b := i.Record, *other
	if a.Controller != nil && b.Controller != nil && *a.Controller == *b.Controller {
		a.Controller = b.Controller
	}
	return a == b
}
