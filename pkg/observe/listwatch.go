package observe

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metainternal "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	// pageSize is how many objects are decoded at a time: a page of big pods is
	// a few megabytes, and more per page saves no time.
	pageSize = 500
	// fetches is how many objects are fetched one by one at a time.
	fetches = 8
)

// listWatch is where an informer gets one resource from, in one namespace or in
// all. Objects become items page by page and event by event, so neither the
// informer nor client-go's reflector ever holds more than a page of them.
type listWatch struct {
	*client
	resource  resource
	namespace string
	options   Options
	interner  *profile.Interner
	// once: list and never watch.
	once bool
	// listed is told how many objects a list has so far.
	listed func(*listWatch, int)
	// health is told how each list and watch went.
	health *health
	// calls counts the lists and watches under way.
	calls *calls
	// watches counts the watches that were begun.
	watches atomic.Int64
}

// IsWatchListSemanticsUnSupported tells the reflector when to list in pages
// instead of having everything streamed by a watch: when there is to be no
// watch, and where objects are fetched one by one, which a stream would wait
// for each time. Servers that cannot stream refuse it, and the reflector lists
// (client-go/tools/cache/reflector.go, ListAndWatchWithContext, v0.37).
func (l *listWatch) IsWatchListSemanticsUnSupported() bool { return l.once || l.fetches() }

// List implements cache.ListerWatcher; the reflector calls ListWithContext.
func (l *listWatch) List(o metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(context.Background(), o)
}

// Watch implements cache.ListerWatcher; the reflector calls WatchWithContext.
func (l *listWatch) Watch(o metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(context.Background(), o)
}

// ListWithContext returns all items. What the reflector asks for is left aside,
// for three reasons (client-go/tools/cache/reflector.go, list, v0.37): with
// resource version 0 the server answers from its cache, all in one page,
// whatever the limit (apiserver/pkg/storage/cacher/cacher.go, GetList, 1.24); the
// reflector keeps the pages whole until the last; and when a later page has
// expired it asks for all in one. Here an expired page is an error, after which
// the reflector has the list begun anew.
func (l *listWatch) ListWithContext(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	if !l.calls.begin() {
		return nil, context.Canceled
	}
	defer l.calls.end()
	items, partial, err := l.list(ctx)
	l.health.listed(ctx, partial, err)
	if err != nil {
		return nil, err
	}
	return items, nil
}

// list returns all items; partial says what could not be known of some of them.
func (l *listWatch) list(ctx context.Context) (all *metainternal.List, partial, err error) {
	all = &metainternal.List{}
	options := metav1.ListOptions{Limit: pageSize, FieldSelector: l.options.fieldSelector(l.resource, l.namespace)}
	last, n := &item{}, 0
	for {
		page, err := l.client.list(l.resource, l.namespace, options).Do(ctx).Get()
		if err != nil {
			return nil, nil, err
		}
		objects, refused, err := l.complete(ctx, page)
		if err != nil {
			return nil, nil, err
		}
		if partial == nil {
			partial = refused
		}
		for _, object := range objects {
			if i := l.item(object); i != nil {
				i.share(&last.Record)
				last = i
				all.Items = append(all.Items, i)
			}
		}
		n += len(objects)
		l.listed(l, n)
		list, err := meta.ListAccessor(page)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the answer: %w", err)
		}
		all.ResourceVersion, options.Continue = list.GetResourceVersion(), list.GetContinue()
		if options.Continue == "" {
			return all, partial, nil
		}
	}
}

// WatchWithContext returns a watch whose events hold items.
func (l *listWatch) WatchWithContext(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if l.once {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	l.watches.Add(1)
	o.FieldSelector = l.options.fieldSelector(l.resource, l.namespace)
	var timeout time.Duration
	if o.TimeoutSeconds != nil {
		timeout = time.Duration(*o.TimeoutSeconds) * time.Second
	}
	whole, err := l.client.watch(l.resource, l.namespace, o).Timeout(timeout).Watch(ctx)
	if o.SendInitialEvents != nil {
		if err != nil {
			// The reflector would try some errors again here, without a word and
			// without an eye on ctx; hidden from it, they make it list instead.
			return nil, fmt.Errorf("streaming: %v", err) //nolint:errorlint // see above
		}
	} else {
		l.health.watching(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &itemWatch{Interface: whole, cancel: cancel, events: make(chan watch.Event)}
	if !l.calls.begin() {
		w.Stop()
		return nil, context.Canceled
	}
	go func() {
		defer l.calls.end()
		w.run(ctx, l.event)
	}()
	return w, nil
}

// event returns the event with an item for its object.
func (l *listWatch) event(ctx context.Context, e watch.Event) watch.Event {
	if e.Type == watch.Bookmark || e.Type == watch.Error {
		return e
	}
	object := e.Object
	if m, ok := object.(*metav1.PartialObjectMetadata); ok && e.Type != watch.Deleted && l.fetched(m) {
		whole, err := l.fetch(ctx, m)
		switch {
		case err == nil:
			object = whole
		case !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err):
			return errorEvent(err)
		}
	}
	if i := l.item(object); i != nil {
		return watch.Event{Type: e.Type, Object: i}
	}
	// An object that no longer counts is as good as deleted.
	m, err := meta.Accessor(object)
	if err != nil {
		return errorEvent(err)
	}
	return watch.Event{Type: watch.Deleted, Object: newItem(m, linkRecord(m, l.resource.groupKind()))}
}

// errorEvent ends a watch: the reflector lists anew then.
func errorEvent(err error) watch.Event {
	return watch.Event{Type: watch.Error, Object: &apierrors.NewInternalError(err).ErrStatus}
}

// item returns the item of an object, or nil when there is nothing to keep.
func (l *listWatch) item(object runtime.Object) *item {
	m, err := meta.Accessor(object)
	if err != nil || !l.options.wantsNamespace(m.GetNamespace()) {
		return nil
	}
	r := l.resource.recordOf(object, l.interner, l.options)
	if r == nil {
		return nil
	}
	return newItem(m, r)
}

// fetches reports whether some objects are listed by their metadata and needed
// as a whole: ReplicaSets and Jobs that have no controller create pods by their
// own template.
func (l *listWatch) fetches() bool { return l.resource.metadata && l.options.Templates }

// fetched reports whether that object is one of them.
func (l *listWatch) fetched(m *metav1.PartialObjectMetadata) bool {
	return l.fetches() && metav1.GetControllerOfNoCopy(m) == nil && l.options.wantsNamespace(m.Namespace)
}

// fetch returns the whole object. One by one is the sound way: no selector finds
// the objects without a controller, and a list of all would bring in the ten old
// ReplicaSets of each Deployment.
func (l *listWatch) fetch(ctx context.Context, m *metav1.PartialObjectMetadata) (runtime.Object, error) {
	whole, err := l.get(l.resource, m.Namespace).Name(m.Name).Do(ctx).Get()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", m.Name, err)
	}
	return whole, nil
}

// complete returns the objects of a page, with the whole object where the
// metadata is not enough. What was deleted meanwhile stays with its metadata:
// the watch tells of it next. Where whole objects may not be read at all, their
// metadata stands in, and refused says so.
func (l *listWatch) complete(ctx context.Context, page runtime.Object) (objects []runtime.Object, refused, err error) {
	objects, err = meta.ExtractList(page)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the answer: %w", err)
	}
	if !l.fetches() {
		return objects, nil, nil
	}
	errs := make([]error, len(objects))
	var group sync.WaitGroup
	slots := make(chan struct{}, fetches)
	for n, object := range objects {
		m, ok := object.(*metav1.PartialObjectMetadata)
		if !ok || !l.fetched(m) {
			continue
		}
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
	for _, e := range errs {
		switch {
		case e == nil || apierrors.IsNotFound(e):
		case !apierrors.IsForbidden(e):
			return nil, nil, e
		case refused == nil:
			refused = e
		}
	}
	return objects, refused, nil
}

// itemWatch passes the events of a watch on with items in them.
type itemWatch struct {
	watch.Interface
	cancel context.CancelFunc
	events chan watch.Event
}

// ResultChan implements watch.Interface.
func (w *itemWatch) ResultChan() <-chan watch.Event { return w.events }

// Stop implements watch.Interface.
func (w *itemWatch) Stop() {
	w.cancel()
	w.Interface.Stop()
}

func (w *itemWatch) run(ctx context.Context, convert func(context.Context, watch.Event) watch.Event) {
	defer close(w.events)
	for e := range w.Interface.ResultChan() {
		select {
		case w.events <- convert(ctx, e):
		case <-ctx.Done():
			return
		}
	}
}
