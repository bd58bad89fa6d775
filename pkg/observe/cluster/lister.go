package cluster

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/cluster/wire"
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
	shapes    *shapes
	records   *records
	// pace, if not nil, takes the items of each namespace that the list has passed. Pods
	// that are alike are counted then, instead of keeping an item of each, and only links
	// are kept that something refers to.
	pace *pace
	// leader is the list that this one follows; nil: none.
	leader *lister
	// reached is the namespace that the list has reached, in this attempt or an earlier one:
	// the items of all before it were taken.
	reached string
	// refused is true if the server refused to list the resource.
	refused bool
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

// errIncomplete is the error of a response that ended early without an error of the
// connection: a protobuf response that ends after its type is a valid object without
// content, which every server gives a resource version and a name. The request may
// succeed later, as after a lost connection.
var errIncomplete = fmt.Errorf("reading the response: it has no content: %w", io.ErrUnexpectedEOF)

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
// of another moment. The next page is requested as soon as the current one says how,
// which is where it begins; one that would wait for the pods, later.
func (l *lister) list(ctx context.Context) (listed, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all listed
	c := collector{lister: l, decoder: decoder{tables: l.tables}, all: &all, from: l.reached}
	if l.pace != nil {
		l.records = &records{} // those of an earlier attempt have counted
		c.counted, c.alike = map[*observe.Record]bool{}, map[digest]*observe.Record{}
	}
	response := bufio.NewReaderSize(nil, 1<<16)
	for next := l.request(ctx, ""); next != nil; {
		current, token := next, ""
		next, all.resourceVersion = nil, ""
		err := current.read(response, func() error {
			return c.page(response, func(m metav1.ListMeta) {
				all.resourceVersion, token = m.ResourceVersion, m.Continue
				if token != "" && l.leader == nil {
					next = l.request(ctx, token)
				}
			})
		})
		if err == nil && all.resourceVersion == "" {
			err = errIncomplete
		}
		if err == nil {
			err = c.end(ctx)
		}
		if err != nil {
			cancel()
			if next != nil {
				next.discard()
			}
			return listed{}, err
		}
		if token != "" && next == nil {
			next = l.request(ctx, token)
		}
		l.progress(c.n)
	}
	return all, nil
}

// page is the response to the request for a page, which may be in progress.
type page struct {
	ctx  context.Context //nolint:containedctx // of the request
	end  context.CancelFunc
	done chan struct{}
	body io.ReadCloser
	err  error
}

// request begins a request for a page.
func (l *lister) request(ctx context.Context, token string) *page {
	o := metav1.ListOptions{Limit: pageSize, Continue: token, FieldSelector: l.resource.fieldSelector(l.recorder.Scope, l.namespace)}
	p := &page{done: make(chan struct{})}
	p.ctx, p.end = context.WithTimeout(ctx, requestTimeout)
	go func() {
		defer close(p.done)
		p.body, p.err = l.client.list(l.resource, l.namespace, o).Stream(p.ctx)
	}()
	return p
}

// read calls take, which reads the response.
func (p *page) read(response *bufio.Reader, take func() error) error {
	defer p.end()
	<-p.done
	if p.err != nil {
		return p.err
	}
	defer p.body.Close() //nolint:errcheck // only read
	response.Reset(p)
	return take()
}

// Read implements io.Reader. A response that fails halfway was interrupted, whatever the
// transport calls it.
func (p *page) Read(data []byte) (int, error) {
	n, err := p.body.Read(data)
	if err != nil && !errors.Is(err, io.EOF) && p.ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return n, err //nolint:wrapcheck // io.EOF has a meaning
}

// discard ends a request.
func (p *page) discard() {
	p.end()
	if <-p.done; p.err == nil {
		_ = p.body.Close() // nobody reads it
	}
}

// collector adds the objects of pages to a list.
type collector struct {
	*lister
	decoder
	all *listed
	// from is the namespace that an earlier attempt has reached.
	from string
	// at is the namespace of the last object.
	at string
	// counted are the records of that namespace in the list, if pods are counted.
	counted map[*observe.Record]bool
	// alike are those of them that are known by a digest; see wirePod.
	alike map[digest]*observe.Record
	// n is the number of objects so far.
	n int
	// links are those of the current page, which are added at its end.
	links []runtime.Object
}

// page reads the response to the request for a page, and calls head with its metadata.
func (c *collector) page(response *bufio.Reader, head func(metav1.ListMeta)) error {
	take := func(object runtime.Object) error {
		c.n++
		if c.resource.metadata {
			c.links = append(c.links, object)
			return nil
		}
		if wanted, err := c.enter(object); err != nil || !wanted {
			return err
		}
		return c.add(object)
	}
	var err error
	if wire.IsProtobuf(response) {
		err = c.protobuf(response, head, take)
	} else {
		err = c.json(response, head, take)
	}
	if err != nil {
		return fmt.Errorf("reading the response: %w", err)
	}
	return nil
}

// enter notes the namespace of the next object, and reports whether the object is wanted:
// nothing of its namespace was taken in an earlier attempt.
func (c *collector) enter(object runtime.Object) (bool, error) {
	m, err := meta.Accessor(object)
	if err != nil {
		return false, err //nolint:wrapcheck // the caller does
	}
	if namespace := m.GetNamespace(); c.pace != nil && namespace != c.at {
		if c.pace.sorted {
			if c.at != "" && before(namespace, c.at) {
				return false, errUnsorted
			}
			clear(c.counted)
			clear(c.alike)
		}
		c.at = namespace
	}
	return !before(c.at, c.from), nil
}

// end ends a page: it adds the links, each when the pods are past it, and says how far the
// list is. A list that follows that of the pods is one page ahead of it at most.
func (c *collector) end(ctx context.Context) error {
	if err := c.complete(ctx, c.links, c.all); err != nil {
		return err
	}
	for _, object := range c.links {
		last := c.at
		wanted, err := c.enter(object)
		if err != nil {
			return err
		}
		if c.at != last {
			c.pass()
			if err := c.follow(ctx); err != nil {
				return err
			}
		}
		if !wanted {
			continue
		}
		if err := c.add(object); err != nil {
			return err
		}
	}
	c.links = nil
	c.pass()
	return c.follow(ctx)
}

// follow waits until the list of the pods has passed the current namespace, if this list
// follows it.
func (c *collector) follow(ctx context.Context) error {
	if c.leader == nil || c.at == "" {
		return nil
	}
	return c.pace.follow(ctx, c.leader, c.at)
}

// pass says how far the list is, and gives away the items of the namespaces that it has
// passed.
func (c *collector) pass() {
	if c.pace == nil {
		return
	}
	n := 0
	if c.pace.sorted {
		for n = len(c.all.items); n > 0 && c.all.items[n-1].Namespace == c.at; n-- {
		}
		if before(c.reached, c.at) {
			c.reached = c.at
		}
	}
	c.pace.reach(c.lister, c.at, c.all.items[:n])
	c.all.items = slices.Delete(c.all.items, 0, n)
}

// protobuf reads a page object by object.
func (c *collector) protobuf(response *bufio.Reader, head func(metav1.ListMeta), take func(runtime.Object) error) error {
	kind := ""
	begin := func(h wire.Head) error {
		var isList bool
		if kind, isList = strings.CutSuffix(h.Kind, "List"); !isList || kind != c.resource.kind && kind != metadataKind {
			return fmt.Errorf("an object of kind %q is no list of %s", h.Kind, c.resource)
		}
		head(h.ListMeta)
		return nil
	}
	return wire.ReadList(response, begin, func(raw []byte) error { //nolint:wrapcheck // the caller does
		if kind == "" {
			return errors.New("the items of the list precede its metadata")
		}
		object, err := c.object(kind, raw)
		if err != nil || object == nil {
			return err
		}
		return take(object)
	})
}

// object returns an object of a kind, but nil for a pod that was counted.
func (c *collector) object(kind string, raw []byte) (runtime.Object, error) {
	if kind != podResource.kind || c.alike == nil {
		return c.decode(kind, raw)
	}
	if err := c.begin(raw); err != nil {
		return nil, err
	}
	if c.again(raw) {
		return nil, nil //nolint:nilnil // it needs none
	}
	return c.finish(raw)
}

// again counts the current pod if it is like one before it, which most are, without
// decoding it. It reports whether the pod is.
func (c *collector) again(raw []byte) bool {
	if !c.pod.common {
		return false
	}
	var err error
	if c.buffer, err = c.tables.podOwner.Append(c.buffer[:0], raw); err != nil {
		return false // whoever decodes it says what is wrong
	}
	c.buffer = append(c.buffer, c.pod.key[:]...)
	c.pod.alike = sha256.Sum256(c.buffer)
	r := c.alike[c.pod.alike]
	if r == nil {
		return false
	}
	r.More++
	c.n++
	return true
}

// json reads a page that is not in protobuf: not every server has that.
func (c *collector) json(response *bufio.Reader, head func(metav1.ListMeta), take func(runtime.Object) error) error {
	data, err := io.ReadAll(response)
	if err != nil {
		return err //nolint:wrapcheck // the caller does
	}
	list, err := runtime.Decode(c.codec, data)
	if err != nil {
		return err //nolint:wrapcheck // the caller does
	}
	m, err := meta.ListAccessor(list)
	if err != nil {
		return err //nolint:wrapcheck // the caller does
	}
	head(metav1.ListMeta{ResourceVersion: m.GetResourceVersion(), Continue: m.GetContinue()})
	return meta.EachListItem(list, take) //nolint:wrapcheck // the caller does
}

// add adds the item of an object, if it needs one.
func (c *collector) add(object runtime.Object) error {
	if m, ok := object.(*metav1.PartialObjectMetadata); ok && c.pace != nil && !c.pace.refers(reference{m.Namespace, c.resource.kind, m.Name}) {
		return nil
	}
	i, err := c.item(object)
	if err != nil || i == nil {
		return err
	}
	if c.counted != nil {
		p, ok := object.(*wirePod)
		if _, alike := i.Alike(); alike && ok && p.common {
			c.alike[p.alike] = i.Record
		}
		if c.counted[i.Record] {
			i.More++
			return nil
		}
		c.counted[i.Record] = true
	}
	if c.pace != nil {
		c.pace.refer(i.Record)
	}
	c.all.items = append(c.all.items, i)
	return nil
}

// item returns the item of an object, or nil if it needs none.
func (l *lister) item(object runtime.Object) (*item, error) {
	m, err := meta.Accessor(object)
	if err != nil {
		return nil, fmt.Errorf("reading the response: %w", err)
	}
	if !l.recorder.Scope.Includes(m.GetNamespace()) {
		return nil, nil //nolint:nilnil // none is needed
	}
	var r *observe.Record
	if p, ok := object.(*wirePod); ok {
		shape, err := l.shape(p)
		if err != nil {
			return nil, err
		}
		r = l.recorder.PodOf(shape, &p.Pod)
	} else {
		r = l.recorder.Record(m, l.resource.groupKind())
	}
	if r == nil {
		return nil, nil //nolint:nilnil // likewise
	}
	return &item{l.records.share(r), m.GetName(), m.GetResourceVersion()}, nil
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
	if o, err := meta.Accessor(whole); err != nil || o.GetName() != m.Name {
		return nil, fmt.Errorf("reading %s: %w", m.Name, errIncomplete)
	}
	return whole, nil
}

// isDeleted reports whether the server says that an object does not exist. If it does not
// serve the resource, its response is no Status.
func isDeleted(err error) bool {
	return apierrors.IsNotFound(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// complete replaces metadata by whole objects where it is not enough. An object that was
// deleted since, or that is forbidden, stays with its metadata; the latter is recorded in
// all.
func (l *lister) complete(ctx context.Context, objects []runtime.Object, all *listed) error {
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
		case e == nil || isDeleted(e):
		case !apierrors.IsForbidden(e):
			return e
		case all.unread == nil:
			all.unread, all.refusal = metadata[n], e
		}
	}
	return nil
}
