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

// listWatch is where an informer gets one resource from. Objects become items page
// by page and event by event, so neither the informer nor client-go's reflector ever
// holds more than a page of them.
type listWatch struct {
	lister
	// health is told how each list and watch went.
	health *health
	// calls counts the lists and watches under way.
	calls *calls
	// watches counts the watches that were begun.
	watches atomic.Int64

	mu sync.Mutex
	// stop ends the present watch.
	stop func()
}

// IsWatchListSemanticsUnSupported tells the reflector when to list in pages
// instead of having everything streamed by a watch: where objects are fetched one
// by one, which a stream would wait for each time. Servers that cannot stream
// refuse it, and the reflector lists (client-go/tools/cache/reflector.go,
// ListAndWatchWithContext, v0.37).
func (l *listWatch) IsWatchListSemanticsUnSupported() bool { return l.fetches() }

// List implements cache.ListerWatcher; the reflector calls ListWithContext.
func (l *listWatch) List(o metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(context.Background(), o)
}

// Watch implements cache.ListerWatcher; the reflector calls WatchWithContext.
func (l *listWatch) Watch(o metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(context.Background(), o)
}

// ListWithContext returns all items. What the reflector asks for is ignored, for
// three reasons (client-go/tools/cache/reflector.go, list, v0.37): with resource
// version 0 the server answers from its cache, all in one page, whatever the limit
// (apiserver/pkg/storage/cacher/cacher.go, GetList, 1.24); the reflector keeps the
// pages whole until the last; and when a later page has expired it asks for all in
// one. Here an expired page is an error, after which the reflector has the list
// begun anew.
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

// WatchWithContext returns a watch whose events hold items.
func (l *listWatch) WatchWithContext(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	streaming := o.SendInitialEvents != nil
	if streaming {
		// The stream begins with what there is now, and not with what the server
		// remembers of it: it may have been away.
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
	whole, err := l.client.watch(l.resource, l.namespace, o).Timeout(timeout).Watch(ctx)
	switch {
	case err != nil && streaming:
		// The reflector would try some errors again here, without a word and
		// without an eye on ctx; hidden from it, they make it list instead.
		return nil, fmt.Errorf("streaming: %v", err) //nolint:errorlint // see above
	case !streaming:
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
	l.mu.Lock()
	l.stop = w.Stop
	l.mu.Unlock()
	go func() {
		defer l.calls.end()
		w.run(ctx, l.event)
	}()
	return w, nil
}

// event returns the event with an item for its object.
func (l *listWatch) event(ctx context.Context, e watch.Event) watch.Event {
	switch e.Type {
	case watch.Error:
		return e
	case watch.Bookmark:
		if m, err := meta.Accessor(e.Object); err == nil && m.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true" {
			l.health.streamed(ctx)
		}
		return e
	}
	object := e.Object
	if m, ok := object.(*metav1.PartialObjectMetadata); ok && e.Type != watch.Deleted && l.fetched(m) {
		whole, err := l.fetch(ctx, m)
		switch {
		case err == nil:
			object = whole
		case apierrors.IsNotFound(err): // the watch tells it next
		case apierrors.IsForbidden(err):
			l.health.missed(m, err)
		default:
			return errorEvent(err)
		}
	}
	if i := l.item(object); i != nil {
		return watch.Event{Type: e.Type, Object: i}
	}
	// An object that is no longer observed is as good as deleted.
	m, err := meta.Accessor(object)
	if err != nil {
		return errorEvent(err)
	}
	return watch.Event{Type: watch.Deleted, Object: newItem(m, observe.Link(m, l.resource.groupKind()))}
}

// errorEvent ends a watch: the reflector lists anew then.
func errorEvent(err error) watch.Event {
	return watch.Event{Type: watch.Error, Object: &apierrors.NewInternalError(err).ErrStatus}
}

// retryMissing tries again to read an object that could not be read, and has
// everything listed again when the answer is another one now.
func (l *listWatch) retryMissing(ctx context.Context) {
	m := l.health.missing()
	if m == nil {
		return
	}
	if _, err := l.fetch(ctx, m); err != nil && !apierrors.IsNotFound(err) {
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
