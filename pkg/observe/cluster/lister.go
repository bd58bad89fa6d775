package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	// pageSize is the number of objects per page. A page of big pods has a few
	// megabytes; bigger pages save no time.
	pageSize = 500
	// fetches is the number of concurrent requests for single objects.
	fetches = 8
)

// lister lists one resource in one namespace or in all. It converts objects to items
// page by page, so it holds at most one page of objects.
type lister struct {
	*client
	resource  resource
	namespace string
	recorder  observe.Recorder
	// progress is called with the number of objects listed so far.
	progress func(n int)
}

// String returns the resource and the namespace.
func (l *lister) String() string {
	if l.namespace == metav1.NamespaceAll {
		return l.resource.String()
	}
	return l.resource.String() + " in namespace " + l.namespace
}

// gap returns the gap for an error.
func (l *lister) gap(err error) observe.Gap {
	reason := apierror.Of(err)
	if errors.Is(err, errNotListed) {
		reason = apierror.Pending
	}
	return observe.Gap{Resource: l.resource.String(), Namespace: l.namespace, Reason: reason, Err: err}
}

// listed is the result of a list.
type listed struct {
	items           []*item
	resourceVersion string
	// unread is an object whose template is needed but forbidden, and refusal the
	// error; nil if there is none.
	unread  *metav1.PartialObjectMetadata
	refusal error
}

// list returns all items. An expired page is an error: the rest of the list would be
// of another moment.
func (l *lister) list(ctx context.Context) (listed, error) {
	var all listed
	options := metav1.ListOptions{Limit: pageSize, FieldSelector: l.resource.fieldSelector(l.recorder.Scope, l.namespace)}
	last, n := &item{}, 0
	for {
		page, err := l.client.list(l.resource, l.namespace, options).Do(ctx).Get()
		if err != nil {
			return listed{}, err
		}
		objects, err := l.complete(ctx, page, &all)
		if err != nil {
			return listed{}, err
		}
		for _, object := range objects {
			if i := l.item(object); i != nil {
				i.share(&last.Record)
				last = i
				all.items = append(all.items, i)
			}
		}
		n += len(objects)
		l.progress(n)
		list, err := meta.ListAccessor(page)
		if err != nil {
			return listed{}, fmt.Errorf("reading the response: %w", err)
		}
		all.resourceVersion, options.Continue = list.GetResourceVersion(), list.GetContinue()
		if options.Continue == "" {
			return all, nil
		}
	}
}

// item returns the item of an object, or nil if it needs none.
func (l *lister) item(object runtime.Object) *item {
	m, err := meta.Accessor(object)
	if err != nil || !l.recorder.Scope.Includes(m.GetNamespace()) {
		return nil
	}
	r := l.recorder.Record(m, l.resource.groupKind())
	if r == nil {
		return nil
	}
	return newItem(m, r)
}

// fetches reports whether the lister lists metadata and needs some whole objects.
func (l *lister) fetches() bool { return l.resource.metadata && l.recorder.Scope.Templates }

// fetched reports whether the whole object is needed: a ReplicaSet or Job without a
// controller, or with one of a kind that is not read. The template of any other is a
// copy of its controller's.
func (l *lister) fetched(m *metav1.PartialObjectMetadata) bool {
	if !l.fetches() || !l.recorder.Scope.Includes(m.Namespace) {
		return false
	}
	c := metav1.GetControllerOfNoCopy(m)
	return c == nil || !observe.Reads(observe.GroupKind(c.APIVersion, c.Kind))
}

// fetch returns the whole object. No selector selects these objects, and a list of all
// would include the ten old ReplicaSets of each Deployment.
func (l *lister) fetch(ctx context.Context, m *metav1.PartialObjectMetadata) (runtime.Object, error) {
	whole, err := l.get(l.resource, m.Namespace).Name(m.Name).Do(ctx).Get()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", m.Name, err)
	}
	return whole, nil
}

// complete returns the objects of a page, with whole objects where metadata is not
// enough. An object that was deleted since, or that is forbidden, stays with its
// metadata; the latter is recorded in all.
func (l *lister) complete(ctx context.Context, page runtime.Object, all *listed) ([]runtime.Object, error) {
	objects, err := meta.ExtractList(page)
	if err != nil {
		return nil, fmt.Errorf("reading the response: %w", err)
	}
	if !l.fetches() {
		return objects, nil
	}
	errs := make([]error, len(objects))
	metadata := make([]*metav1.PartialObjectMetadata, len(objects))
	var group sync.WaitGroup
	slots := make(chan struct{}, fetches)
	for n, object := range objects {
		m, ok := object.(*metav1.PartialObjectMetadata)
		if !ok || !l.fetched(m) {
			continue
		}
		metadata[n] = m
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			whole, err := l.fetch(ctx, m)
			if err == nil {
				objects[n] = whole
			}
			errs[n] = err
		})
	}
	group.Wait()
	for n, e := range errs {
		switch {
		case e == nil || apierrors.IsNotFound(e):
		case !apierrors.IsForbidden(e):
			return nil, e
		case all.unread == nil:
			all.unread, all.refusal = metadata[n], e
		}
	}
	return objects, nil
}
