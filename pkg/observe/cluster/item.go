package cluster

import (
	"hash/maphash"
	"runtime"
	"sync"
	"weak"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// item is what an informer stores of an object: its record, and what the informer
// itself needs. The informer never has the object.
type item struct {
	// Record is that of several pods, if they are alike: it has the name of one of them.
	*observe.Record
	name            string
	resourceVersion string
}

// GetObjectMeta implements metav1.ObjectMetaAccessor. The metadata is created for each
// call, because it is many times the size of an item.
func (i *item) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: i.Namespace, Name: i.name, ResourceVersion: i.resourceVersion}
}

// GetObjectKind implements runtime.Object.
func (i *item) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. The copy shares the record, which never
// changes.
func (i *item) DeepCopyObject() apiruntime.Object {
	c := *i
	return &c
}

// same reports whether the records of two states of an object are equal. Profiles are
// interned, so their pointers are compared.
func (i *item) same(other *item) bool {
	if i.Record == other.Record {
		return true
	}
	a, b := *i.Record, *other.Record
	if a.Controller != nil && b.Controller != nil && *a.Controller == *b.Controller {
		a.Controller = b.Controller
	}
	return a == b
}

// records keeps one record of the pods that are alike, for as long as one of them is
// used: memory grows with their number by what an item has beside its record. The zero
// records is ready for use, and safe for concurrent use.
type records struct {
	mu    sync.Mutex
	seed  maphash.Seed
	alike map[uint64]weak.Pointer[observe.Record] // by a hash of what they have in common
}

// share returns the record of a pod that is like that of r, or r itself.
func (s *records) share(r *observe.Record) *observe.Record {
	key, ok := r.Alike()
	if !ok {
		return r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alike == nil {
		s.seed, s.alike = maphash.MakeSeed(), map[uint64]weak.Pointer[observe.Record]{}
	}
	hash := maphash.Comparable(s.seed, key)
	if known := s.alike[hash].Value(); known != nil {
		if k, _ := known.Alike(); k == key {
			return known
		}
	}
	s.alike[hash] = weak.Make(r)
	runtime.AddCleanup(r, s.forget, hash)
	return r
}

// forget removes a record that is not used, unless another one has replaced it.
func (s *records) forget(hash uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alike[hash].Value() == nil {
		delete(s.alike, hash)
	}
}
