// Package cluster observes an API server: once, page by page (List), or all the
// time, through informers (Watcher).
//
// A connection goes in; observations come out, by namespace or of all. Laws, each
// tested:
//   - What the server does not let be listed, or does not serve, is a gap, and the
//     rest goes on. Namespaces that are not in the scope are not asked for.
//   - No more than a page of whole objects is held; what stays is a record each.
//   - A watcher's observation has no gap only when everything was listed, and
//     watched without a failure since.
//   - What was started has ended when List or Run returns.
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

// retryMissingEvery is how often objects that could not be read are tried again.
const retryMissingEvery = 30 * time.Second

// Watcher observes a cluster through informers, whose stores hold the record of
// each object and nothing else. Beside the rights of List it needs those to watch.
type Watcher struct {
	// Changed is called with the namespace of each change that may make another
	// observation, from several goroutines. Set it before Run; nil is fine.
	Changed func(namespace string)

	scope     observe.Scope
	client    *client
	interner  *profile.Interner
	informers []*informer
	calls     *calls
}

// informer holds one resource of one namespace, or of all.
type informer struct {
	cache.SharedIndexInformer
	*listWatch
}

// NewWatcher returns an observer of the cluster that config connects to.
func NewWatcher(config *rest.Config, scope observe.Scope) (*Watcher, error) {
	client, err := newClient(config)
	if err != nil {
		return nil, err
	}
	w := &Watcher{scope: scope, client: client, interner: &profile.Interner{}, calls: newCalls()}
	for _, namespace := range namespacesOf(scope) {
		for _, r := range resourcesOf(scope) {
			i, err := w.newInformer(&listWatch{
				lister: lister{
					client: client, resource: r, namespace: namespace,
					recorder: observe.Recorder{Scope: scope, Interner: w.interner}, progress: func(int) {},
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
	// No example object: bookmarks come as objects of the resource itself.
	i := &informer{listWatch: l, SharedIndexInformer: cache.NewSharedIndexInformer(l, nil, 0, cache.Indexers{
		cache.NamespaceIndex: func(object any) ([]string, error) { return []string{namespaceOf(object)}, nil },
	})}
	l.health = newHealth(i.HasSynced)
	// Errors are kept as the informer's health instead of being logged.
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
			if b, a := before.(*item), after.(*item); !b.same(&a.Record) {
				w.changed(a.Namespace)
			}
		},
	}
}

// namespaceOf returns the namespace of an item, or of one that is gone.
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

// Run lists and watches until ctx is done, and returns when everything that it
// started has ended. It can be called once.
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
		i.listWatch.retryMissing(ctx)
	}
}

// WaitForSync waits until everything was listed or refused. It gives up with an
// error when the server cannot be reached, does not know the user or keeps
// failing, or when ctx is done.
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
				return // though an earlier attempt may have failed
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

// unsynced says what was not listed when the time was over.
func (w *Watcher) unsynced(cause error) error {
	var names []string
	for _, i := range w.informers {
		err := i.health.gap()
		switch {
		case i.HasSynced() || err == nil:
		case errors.Is(err, errNotListed):
			names = append(names, i.String())
		case !apierror.Of(err).Refusal():
			names = append(names, fmt.Sprintf("%s (%v)", i, err))
		}
	}
	return fmt.Errorf("listing %s: %w", strings.Join(names, ", "), cause)
}

// String names what the informer holds.
func (i *informer) String() string { return i.lister.String() }

// Observe returns what is seen now in the given namespaces; none means in all
// that are observed. It may be called at any time: what was not listed yet, or
// cannot be watched at the moment, is a gap.
func (w *Watcher) Observe(namespaces ...string) *observe.Observation {
	// The gaps first: one that heals meanwhile is told all the same, while one that
	// is not told cannot have been there before.
	gaps := w.Gaps(namespaces...)
	var records []*observe.Record
	accounts := observe.Accounts{}
	add := func(object any) {
		switch i := object.(*item); i.Kind.Kind {
		case accountKind:
			accounts[aggregate.Account{Namespace: i.Namespace, Name: i.Name}] = true
		default:
			records = append(records, &i.Record)
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

// inNamespace returns what the informer holds of that namespace.
func (i *informer) inNamespace(namespace string) []any {
	objects, err := i.GetIndexer().ByIndex(cache.NamespaceIndex, namespace)
	if err != nil {
		panic(err) // the index was given when the informer was made
	}
	return objects
}

// Gaps returns what cannot be seen now in the given namespaces, sorted; none
// means in all that are observed.
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

// Namespaces returns the namespaces of all objects held, sorted. They may be
// more than an observation has, where the objects make no pods.
func (w *Watcher) Namespaces() []string {
	var list []string
	for _, i := range w.informers {
		list = append(list, i.GetIndexer().ListIndexFuncValues(cache.NamespaceIndex)...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Watches returns how many watches were begun so far. Each resource needs one,
// and another one whenever it ends, which servers see to every few minutes.
func (w *Watcher) Watches() int {
	n := 0
	for _, i := range w.informers {
		n += int(i.watches.Load())
	}
	return n
}

// Pods returns the number of pods held.
func (w *Watcher) Pods() int {
	n := 0
	for _, i := range w.informers {
		if i.resource.kind == podResource.kind {
			n += len(i.GetStore().ListKeys())
		}
	}
	return n
}

// Profiles returns the number of distinct profiles held.
func (w *Watcher) Profiles() int { return w.interner.Len() }
