package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metainternal "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// patience is how long a watch may go on after the server should have ended it. If what is
// between has lost it, no event and no end ever come.
const patience = 30 * time.Second

// listWatch is the source of an informer. It converts objects to items page by page and
// event by event, so neither the informer nor client-go's reflector ever holds more
// than a page of objects.
type listWatch struct {
	lister
	// health has the results of lists and watches.
	health *health
	// calls are the lists and watches in progress.
	calls *calls
	// watches is the number of watches begun.
	watches atomic.Int64

	mu sync.Mutex
	// stop ends the current watch.
	stop func()
}

// IsWatchListSemanticsUnSupported makes the reflector list pages instead of streaming
// the list if whole objects must be fetched: a stream would wait for each of them. If a
// server cannot stream, the reflector lists pages anyway
// (client-go/tools/cache/reflector.go, ListAndWatchWithContext, v0.37).
func (l *listWatch) IsWatchListSemanticsUnSupported() bool { return l.fetches() }

// List implements cache.ListerWatcher; the reflector calls ListWithContext.
func (l *listWatch) List(o metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(context.Background(), o)
}

// Watch implements cache.ListerWatcher; the reflector calls WatchWithContext.
func (l *listWatch) Watch(o metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(context.Background(), o)
}

// ListWithContext returns all items. It ignores the options of the reflector, for three
// reasons (client-go/tools/cache/reflector.go, list, v0.37): with resource version 0
// the server responds from its cache with a single page, whatever the limit
// (apiserver/pkg/storage/cacher/cacher.go, GetList, 1.24); the reflector keeps all
// pages until the last one; and if a later page has expired, it requests everything as
// one page. Here an expired page is an error, after which the reflector lists again.
func (l *listWatch) ListWithContext(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	if !l.calls.begin() {
		return nil, context.Canceled
	}
	defer l.calls.end()
	all, err := l.list(ctx)
	l.health.listed(ctx, all, err)
	if err != nil {
		return nil, err
	}
	list := &metainternal.List{Items: make([]runtime.Object, len(all.items))}
	list.ResourceVersion = all.resourceVersion
	for i, it := range all.items {
		list.Items[i] = it
	}
	return list, nil
}

// WatchWithContext returns a watch whose events have items.
func (l *listWatch) WatchWithContext(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	streaming := o.SendInitialEvents != nil
	if streaming {
		// The stream must begin with the existing objects, not with the server's
		// cache, which may be stale after an outage.
		o.ResourceVersion = ""
	} else if l.health.needsList() {
		return nil, apierrors.NewResourceExpired("a list is needed after a failure")
	}
	l.watches.Add(1)
	o.FieldSelector = l.resource.fieldSelector(l.recorder.Scope, l.namespace)
	var timeout time.Duration
	if o.TimeoutSeconds != nil {
		timeout = time.Duration(*o.TimeoutSeconds) * time.Second
	}
	limit := requestTimeout // the reflector always has a timeout
	if timeout > 0 {
		limit = timeout + patience
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	whole, err := l.client.watch(l.resource, l.namespace, o).Timeout(timeout).Watch(limited)
	if !streaming {
		l.health.watching(ctx, err)
	}
	if err != nil {
		cancel()
		if streaming {
			// For some errors the reflector would retry silently, and ignore ctx. It does
			// not recognize a formatted error, and lists instead.
			err = fmt.Errorf("streaming: %v", err) //nolint:errorlint // see above
		}
		return nil, err
	}
	w := &itemWatch{Interface: whole, cancel: cancel, events: make(chan watch.Event)}
	if !l.calls.begin() {
		w.Stop()
		return nil, context.Canceled
	}
	l.mu.Lock()
	l.stop = w.Stop
	l.mu.Unlock()
	go func() {
		defer l.calls.end()
		defer w.Stop()
		w.run(limited, l.event)
	}()
	return w, nil
}

// event converts the object of an event to an item.
func (l *listWatch) event(ctx context.Context, e watch.Event) watch.Event {
	switch e.Type {
	case watch.Error:
		l.health.watching(ctx, apierrors.FromObject(e.Object))
		return e
	case watch.Bookmark:
		if m, err := meta.Accessor(e.Object); err == nil && m.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true" {
			l.health.streamed(ctx)
		}
		return e
	case watch.Added, watch.Modified, watch.Deleted:
	}
	object := e.Object
	if m, ok := object.(*metav1.PartialObjectMetadata); ok && e.Type != watch.Deleted && l.fetched(m) {
		whole, err := l.fetch(ctx, m)
		switch {
		case err == nil:
			object = whole
		case isDeleted(err): // its deletion follows
		case apierrors.IsForbidden(err):
			l.health.missed(m, err)
		default:
			return l.broken(ctx, err)
		}
	}
	i, err := l.item(object)
	if err != nil {
		return l.broken(ctx, err)
	}
	if i != nil {
		return watch.Event{Type: e.Type, Object: i}
	}
	// An object that is no longer in the scope is deleted from the store.
	m, err := meta.Accessor(object)
	if err != nil {
		return l.broken(ctx, err)
	}
	return watch.Event{Type: watch.Deleted, Object: &item{observe.Link(m, l.resource.groupKind()), m.GetName(), m.GetResourceVersion()}}
}

// broken records that the watch has missed something, and returns an event that ends
// it and makes the reflector list again.
func (l *listWatch) broken(ctx context.Context, err error) watch.Event {
	l.health.watching(ctx, err)
	return watch.Event{Type: watch.Error, Object: &apierrors.NewInternalError(err).ErrStatus}
}

// retryMissing retries to read an object that was forbidden. If that has changed, it
// makes the reflector list again.
func (l *listWatch) retryMissing(ctx context.Context) {
	m := l.health.missing()
	if m == nil {
		return
	}
	if _, err := l.fetch(ctx, m); err != nil && !isDeleted(err) {
		return
	}
	l.health.watching(ctx, errNotListed)
	l.mu.Lock()
	stop := l.stop
	l.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// itemWatch converts the objects in the events of a watch to items.
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
