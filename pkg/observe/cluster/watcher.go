// Package cluster observes a cluster through its API server: once, page by page (List),
// or continuously, through informers (Watcher).
//
// Input is a client configuration; output is observations of some or all namespaces.
// Laws, each tested:
//   - A resource that is forbidden or not served is a gap, and the others are
//     observed. Namespaces outside the scope are never requested.
//   - At most one page of whole objects per resource is in memory. What remains of each
//     object is a record, and of a snapshot only for the namespaces that some list has not
//     passed.
//   - An observation of a Watcher has no gap only if everything was listed, and watched
//     without a failure since.
//   - When List or Run returns, everything that it started has ended.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// retryMissingEvery is the time between attempts to read forbidden objects.
const retryMissingEvery = 30 * time.Second

// Watcher observes a cluster through informers, whose stores have only a record of each
// object. It needs the permissions of List, and to watch.
type Watcher struct {
	// Changed, if not nil, is called with the namespace of each change that may change
	// the observation. Calls are concurrent. Set it before Run.
	Changed func(namespace string)

	scope     observe.Scope
	client    *client
	interner  *profile.Interner
	informers []*informer
	calls     *calls
}

// informer stores one resource of one namespace or of all.
type informer struct {
	cache.SharedIndexInformer
	*listWatch
}

// NewWatcher returns a watcher of the cluster that config connects to.
func NewWatcher(config *rest.Config, scope observe.Scope) (*Watcher, error) {
	client, err := newClient(config, scope)
	if err != nil {
		return nil, err
	}
	w := &Watcher{scope: scope, client: client, interner: &profile.Interner{}, calls: newCalls()}
	seen, shared := &shapes{}, &records{}
	for _, namespace := range namespacesOf(scope) {
		for _, r := range resourcesOf(scope) {
			i, err := w.newInformer(&listWatch{
				lister: lister{
					client: client, resource: r, namespace: namespace,
					recorder: observe.Recorder{Scope: scope, Interner: w.interner}, shapes: seen, records: shared, progress: func(int) {},
				},
				calls: w.calls,
			})
			if err != nil {
				return nil, err
			}
			w.informers = append(w.informers, i)
		}
	}
	return w, nil
}

func (w *Watcher) newInformer(l *listWatch) (*informer, error) {
	// No example object, because bookmarks are objects of the resource, not items.
	i := &informer{listWatch: l, SharedIndexInformer: cache.NewSharedIndexInformer(l, nil, 0, cache.Indexers{
		cache.NamespaceIndex: func(object any) ([]string, error) { return []string{namespaceOf(object)}, nil },
	})}
	l.health = newHealth(i.HasSynced)
	// Errors are part of the informer's health and not logged.
	silent := func(context.Context, *cache.Reflector, error) {}
	err := i.SetWatchErrorHandlerWithContext(silent)
	if err == nil {
		_, err = i.AddEventHandler(w.handler())
	}
	if err != nil {
		return nil, fmt.Errorf("preparing the informer of %s: %w", l, err)
	}
	return i, nil
}

func (w *Watcher) handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { w.changed(namespaceOf(object)) },
		DeleteFunc: func(object any) { w.changed(namespaceOf(object)) },
		UpdateFunc: func(before, after any) {
			if b, a := before.(*item), after.(*item); !b.same(a) {
				w.changed(a.Namespace)
			}
		},
	}
}

// namespaceOf returns the namespace of an item or of its tombstone.
func namespaceOf(object any) string {
	switch x := object.(type) {
	case *item:
		return x.Namespace
	case cache.DeletedFinalStateUnknown:
		namespace, _, _ := strings.Cut(x.Key, "/")
		return namespace
	default:
		return ""
	}
}

func (w *Watcher) changed(namespace string) {
	if w.Changed != nil {
		w.Changed(namespace)
	}
}

// Run lists and watches until ctx is done. It can be called once.
func (w *Watcher) Run(ctx context.Context) {
	var group sync.WaitGroup
	for _, i := range w.informers {
		group.Go(func() { i.RunWithContext(ctx) })
	}
	group.Go(func() { wait.UntilWithContext(ctx, w.retryMissing, retryMissingEvery) })
	group.Wait()
	w.calls.close()
	w.client.close()
}

func (w *Watcher) retryMissing(ctx context.Context) {
	for _, i := range w.informers {
		i.retryMissing(ctx)
	}
}

// WaitForSync waits until every resource was listed or refused. It returns an error if
// the server is unreachable, does not know the user or keeps failing, or if ctx is
// done.
func (w *Watcher) WaitForSync(ctx context.Context) error {
	outcome := make(chan error, len(w.informers))
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	for _, i := range w.informers {
		group.Go(func() {
			if i.HasSynced() {
				outcome <- nil
				return // even if an earlier attempt failed
			}
			select {
			case <-i.HasSyncedChecker().Done():
				outcome <- nil
			case <-i.health.refused:
				outcome <- nil
			case <-i.health.failed:
				outcome <- fmt.Errorf("listing %s: %w", i, i.health.gap())
			case <-ctx.Done():
			}
		})
	}
	for range w.informers {
		select {
		case err := <-outcome:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return w.unsynced(context.Cause(ctx))
		}
	}
	return nil
}

// unsynced returns an error with the resources that were not listed when ctx ended.
func (w *Watcher) unsynced(cause error) error {
	var names []string
	var last error
	for _, i := range w.informers {
		err := i.health.gap()
		if i.HasSynced() || err == nil || apierror.Of(err).Refusal() {
			continue
		}
		names = append(names, i.String())
		if !errors.Is(err, errNotListed) {
			last = err
		}
	}
	return errUnfinished(names, cause, last)
}

// String returns the resource and the namespace.
func (i *informer) String() string { return i.lister.String() }

// Observe returns the current observation of the given namespaces; none means all in
// the scope. It can be called at any time: resources that have not been listed yet, or
// cannot be watched now, are gaps.
func (w *Watcher) Observe(namespaces ...string) *observe.Observation {
	// Gaps first: then the records are complete if there are no gaps.
	gaps := w.Gaps(namespaces...)
	var records []*observe.Record
	accounts := observe.Accounts{}
	add := func(object any) {
		switch i := object.(*item); i.Kind.Kind {
		case accountKind:
			accounts[aggregate.Account{Namespace: i.Namespace, Name: i.Name}] = true
		default:
			records = append(records, i.Record)
		}
	}
	for _, i := range w.informers {
		if len(namespaces) == 0 {
			for _, object := range i.GetStore().List() {
				add(object)
			}
		}
		for _, namespace := range namespaces {
			for _, object := range i.inNamespace(namespace) {
				add(object)
			}
		}
	}
	obs := observe.Resolve(records, accounts, w.interner, w.scope.In(namespaces...))
	obs.Gaps = gaps
	return obs
}

// inNamespace returns the items of that namespace.
func (i *informer) inNamespace(namespace string) []any {
	objects, err := i.GetIndexer().ByIndex(cache.NamespaceIndex, namespace)
	if err != nil {
		panic(err) // newInformer adds the index
	}
	return objects
}

// Gaps returns the current gaps in the given namespaces, sorted; none means all in the
// scope.
func (w *Watcher) Gaps(namespaces ...string) []observe.Gap {
	var gaps []observe.Gap
	for _, i := range w.informers {
		if err := i.health.gap(); err != nil {
			gaps = append(gaps, i.gap(err))
		}
	}
	slices.SortFunc(gaps, observe.Gap.Compare)
	return gapsIn(gaps, namespaces)
}

// Namespaces returns the namespaces of all stored objects, sorted. Some may have no
// pods and no templates.
func (w *Watcher) Namespaces() []string {
	var list []string
	for _, i := range w.informers {
		list = append(list, i.GetIndexer().ListIndexFuncValues(cache.NamespaceIndex)...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Watches returns the number of watches begun so far. Each resource needs one, and a new
// one whenever the server ends it, which is every few minutes.
func (w *Watcher) Watches() int {
	n := 0
	for _, i := range w.informers {
		n += int(i.watches.Load())
	}
	return n
}

// Pods returns the number of stored pods.
func (w *Watcher) Pods() int {
	n := 0
	for _, i := range w.informers {
		if i.resource.kind == podResource.kind {
			n += len(i.GetStore().ListKeys())
		}
	}
	return n
}

// Profiles returns the number of distinct profiles in memory.
func (w *Watcher) Profiles() int { return w.interner.Len() }
