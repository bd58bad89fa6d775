package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// Cluster observes a running cluster through informers, whose stores hold the
// record of each object and nothing else.
//
// Cluster-wide it needs the rights to list and watch; with namespaces in the
// options it asks for nothing outside them. What the server does not let be
// listed or does not serve is a gap, and the rest goes on.
type Cluster struct {
	// Changed is called with the namespace of each change that may make another
	// observation, from several goroutines. Set it before Run; nil is fine.
	Changed func(namespace string)
	// Listed is called with the number of objects that a list has so far, one
	// call at a time. Set it before Run; nil is fine.
	Listed func(resource string, n int)

	options   Options
	client    *client
	interner  *profile.Interner
	informers []*informer
	calls     *calls

	progress sync.Mutex
	counts   map[*listWatch]int
}

// informer holds one resource of one namespace, or of all.
type informer struct {
	cache.SharedIndexInformer
	*listWatch
}

// String names what the informer holds.
func (i *informer) String() string {
	if i.namespace == "" {
		return i.resource.String()
	}
	return i.resource.String() + " in namespace " + i.namespace
}

// NewCluster returns an observer of the cluster that config connects to.
func NewCluster(config *rest.Config, o Options) (*Cluster, error) {
	return newCluster(config, o, false)
}

func newCluster(config *rest.Config, o Options, once bool) (*Cluster, error) {
	client, err := newClient(config)
	if err != nil {
		return nil, err
	}
	c := &Cluster{options: o, client: client, interner: &profile.Interner{}, calls: newCalls(), counts: map[*listWatch]int{}}
	for _, namespace := range o.namespaces() {
		for _, r := range o.resources() {
			i, err := c.newInformer(&listWatch{
				client: client, resource: r, namespace: namespace, options: o, interner: c.interner,
				once: once, listed: c.listed, calls: c.calls,
			})
			if err != nil {
				return nil, err
			}
			c.informers = append(c.informers, i)
		}
	}
	return c, nil
}

func (c *Cluster) newInformer(l *listWatch) (*informer, error) {
	// No example object: bookmarks come as objects of the resource itself.
	i := &informer{listWatch: l, SharedIndexInformer: cache.NewSharedIndexInformer(l, nil, 0, cache.Indexers{
		cache.NamespaceIndex: func(object any) ([]string, error) { return []string{namespaceOf(object)}, nil },
	})}
	l.health = newHealth(i.HasSynced)
	// Errors are kept as the informer's health instead of being logged.
	silent := func(context.Context, *cache.Reflector, error) {}
	err := i.SetWatchErrorHandlerWithContext(silent)
	if !l.once && err == nil {
		_, err = i.AddEventHandler(c.handler())
	}
	if err != nil {
		return nil, fmt.Errorf("preparing the informer of %s: %w", i, err)
	}
	return i, nil
}

func (c *Cluster) handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { c.changed(namespaceOf(object)) },
		DeleteFunc: func(object any) { c.changed(namespaceOf(object)) },
		UpdateFunc: func(before, after any) {
			if b, a := before.(*item), after.(*item); !b.same(&a.Record) {
				c.changed(a.Namespace)
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

func (c *Cluster) changed(namespace string) {
	if c.Changed != nil {
		c.Changed(namespace)
	}
}

func (c *Cluster) listed(l *listWatch, n int) {
	if c.Listed == nil {
		return
	}
	c.progress.Lock()
	defer c.progress.Unlock()
	c.counts[l] = n
	total := 0
	for other, n := range c.counts {
		if other.resource.GroupResource() == l.resource.GroupResource() {
			total += n
		}
	}
	c.Listed(l.resource.String(), total)
}

// Run lists and watches until ctx is done, and returns when everything that it
// started has ended. It can be called once.
func (c *Cluster) Run(ctx context.Context) {
	var group sync.WaitGroup
	for _, i := range c.informers {
		group.Go(func() {
			if i.once && i.resource.metadata {
				c.waitForPods(ctx)
			}
			i.RunWithContext(ctx)
		})
	}
	group.Wait()
	c.calls.close()
	c.client.close()
}

// waitForPods waits until the pods were listed or will not be. Where no watch
// tells of later changes, the links are listed after the pods: otherwise a
// ReplicaSet that is rolled out meanwhile would be missing for its pods.
func (c *Cluster) waitForPods(ctx context.Context) {
	for _, i := range c.informers {
		if i.resource.kind != podResource.kind {
			continue
		}
		select {
		case <-i.HasSyncedChecker().Done():
		case <-i.health.refused:
		case <-i.health.failed:
		case <-ctx.Done():
		}
	}
}

// WaitForSync waits until everything was listed or refused. It gives up with an
// error when the server cannot be reached, does not know the user or keeps
// failing, or when ctx is done.
func (c *Cluster) WaitForSync(ctx context.Context) error {
	outcome := make(chan error, len(c.informers))
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	for _, i := range c.informers {
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
	for range c.informers {
		select {
		case err := <-outcome:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return c.unsynced(context.Cause(ctx))
		}
	}
	return nil
}

// unsynced says what was not listed when the time was over.
func (c *Cluster) unsynced(cause error) error {
	var names []string
	for _, i := range c.informers {
		if i.HasSynced() || isRefusal(i.health.gap()) {
			continue
		}
		name := i.String()
		if err := i.health.gap(); !errors.Is(err, errNotListed) {
			name += fmt.Sprintf(" (%v)", err)
		}
		names = append(names, name)
	}
	return fmt.Errorf("listing %s: %w", strings.Join(names, ", "), cause)
}

// Observe returns what is seen now in the given namespaces; none means in all
// that are observed. It may be called at any time: what was not listed yet, or
// cannot be watched at the moment, is a gap.
func (c *Cluster) Observe(namespaces ...string) *Observation {
	var records []*Record
	accounts := Accounts{}
	add := func(object any) {
		switch i := object.(*item); i.Kind.Kind {
		case "ServiceAccount":
			accounts[aggregate.Account{Namespace: i.Namespace, Name: i.Name}] = true
		default:
			records = append(records, &i.Record)
		}
	}
	for _, i := range c.informers {
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
	obs := Resolve(records, accounts, c.interner, c.options)
	obs.Gaps = c.Gaps(namespaces...)
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
func (c *Cluster) Gaps(namespaces ...string) []Gap {
	var gaps []Gap
	for _, i := range c.informers {
		if len(namespaces) > 0 && i.namespace != "" && !slices.Contains(namespaces, i.namespace) {
			continue
		}
		if err := i.health.gap(); err != nil {
			gaps = append(gaps, Gap{i.resource.String(), i.namespace, err})
		}
	}
	slices.SortFunc(gaps, Gap.Compare)
	return gaps
}

// Namespaces returns the namespaces of all objects held, sorted. They may be
// more than an observation has, where the objects make no pods.
func (c *Cluster) Namespaces() []string {
	var list []string
	for _, i := range c.informers {
		list = append(list, i.GetIndexer().ListIndexFuncValues(cache.NamespaceIndex)...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Watches returns how many watches were begun so far. Each resource needs one,
// and another one whenever it ends, which servers see to every few minutes.
func (c *Cluster) Watches() int {
	n := 0
	for _, i := range c.informers {
		n += int(i.watches.Load())
	}
	return n
}

// Pods returns the number of pods held.
func (c *Cluster) Pods() int {
	n := 0
	for _, i := range c.informers {
		if i.resource.kind == podResource.kind {
			n += len(i.GetStore().ListKeys())
		}
	}
	return n
}

// Profiles returns the number of distinct profiles held.
func (c *Cluster) Profiles() int { return c.interner.Len() }
