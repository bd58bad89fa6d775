package cluster

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// reference is the name of a link, by which other records refer to it.
type reference struct{ namespace, kind, name string }

// linkOf returns the link that a record refers to, if its controller is one.
func linkOf(r *observe.Record) (to reference, ok bool) {
	c := r.Controller
	if c == nil || !isLink(c.Kind) {
		return reference{}, false
	}
	return reference{r.Namespace, c.Kind.Kind, c.Name}, true
}

type references map[reference]bool

// ofKind reports whether one of them is of a kind.
func (r references) ofKind(kind string) bool {
	for to := range r {
		if to.kind == kind {
			return true
		}
	}
	return false
}

// errUnsorted is the error of a list that is not sorted by namespace. Those of etcd are; a
// server with another database may sort otherwise.
var errUnsorted = errors.New("the list is not sorted by namespace")

// before reports whether one namespace precedes another in a list: objects are sorted by
// their keys in etcd, in which a slash follows the namespace.
func before(namespace, other string) bool { return namespace+"/" < other+"/" }

// pace is how far lists have come. The others follow that of the pods, for two reasons. Of
// the links only those are kept that something refers to: a Deployment has ten old
// ReplicaSets, which link nothing. And a namespace that all lists have passed is complete,
// so that of the whole cluster only a few are in memory as records.
type pace struct {
	// sorted says that lists are sorted by namespace. If they are not, nothing is complete
	// before all have ended, and more links are missing then.
	sorted bool
	// take is called with each namespace that is complete. Calls are concurrent.
	take func(name string, all *gathered)

	mu sync.Mutex
	// at is the namespace that each list in progress has reached, by what it lists: one
	// namespace, or all.
	at map[string]map[*lister]string
	// namespaces are those that are not complete.
	namespaces map[string]*gathered
	changed    chan struct{} // closed at the next change
}

// gathered is what was listed of a namespace.
type gathered struct {
	records  []*observe.Record
	accounts observe.Accounts
	referred references
	// lacks is true if all lists have passed the namespace, and links are missing.
	lacks bool
}

func newPace(sorted bool, take func(name string, all *gathered)) *pace {
	return &pace{sorted: sorted, take: take, at: map[string]map[*lister]string{}, namespaces: map[string]*gathered{}, changed: make(chan struct{})}
}

// in returns what was listed of a namespace.
func (p *pace) in(namespace string) *gathered {
	g := p.namespaces[namespace]
	if g == nil {
		g = &gathered{accounts: observe.Accounts{}, referred: references{}}
		p.namespaces[namespace] = g
	}
	return g
}

// refer notes what a record refers to.
func (p *pace) refer(r *observe.Record) {
	if to, ok := linkOf(r); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.in(to.namespace).referred[to] = true
	}
}

// refers reports whether a record refers to a link.
func (p *pace) refers(to reference) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.namespaces[to.namespace]
	return g != nil && g.referred[to]
}

// begin notes that a list begins.
func (p *pace) begin(one *lister) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at[one.namespace] == nil {
		p.at[one.namespace] = map[*lister]string{}
	}
	p.at[one.namespace][one] = ""
}

// reach notes that a list has come to a namespace, and adds items of those before it.
func (p *pace) reach(one *lister, namespace string, items []*item) {
	p.move(items, func() {
		if at := p.at[one.namespace]; before(at[one], namespace) { // or it was there in an earlier attempt
			at[one] = namespace
		}
	})
}

// end notes that a list has ended, and adds the items that are left.
func (p *pace) end(one *lister, items []*item) {
	p.move(items, func() { delete(p.at[one.namespace], one) })
}

// move adds items and changes how far a list has come.
func (p *pace) move(items []*item, change func()) {
	p.mu.Lock()
	for _, i := range items {
		if g := p.in(i.Namespace); i.Kind.Kind == accountKind {
			g.accounts[aggregate.Account{Namespace: i.Namespace, Name: i.Name}] = true
		} else {
			g.records = append(g.records, i.Record)
		}
	}
	change()
	close(p.changed)
	p.changed = make(chan struct{})
	complete := p.complete()
	p.mu.Unlock()
	for name, g := range complete {
		p.take(name, g)
	}
}

// complete removes the namespaces that are complete, and returns them.
func (p *pace) complete() map[string]*gathered {
	complete := map[string]*gathered{}
	least, end := p.least()
	for name, g := range p.namespaces {
		if g.lacks || len(p.at[name]) > 0 || !end && !before(name, least) {
			continue
		}
		if g.lacks = len(g.missing()) > 0; !g.lacks {
			complete[name] = g
			delete(p.namespaces, name)
		}
	}
	return complete
}

// least returns the first of the namespaces that the lists of all namespaces have reached;
// end is true if all have ended.
func (p *pace) least() (namespace string, end bool) {
	end = true
	for _, at := range p.at[metav1.NamespaceAll] {
		switch {
		case !p.sorted:
			return "", false
		case end || before(at, namespace):
			namespace, end = at, false
		}
	}
	return namespace, end
}

// missing returns the links that a record refers to and that have none.
func (g *gathered) missing() references {
	list := references{}
	for _, r := range g.records {
		if to, ok := linkOf(r); ok {
			list[to] = true
		}
	}
	for _, r := range g.records {
		if isLink(r.Kind) {
			delete(list, reference{r.Namespace, r.Kind.Kind, r.Name})
		}
	}
	return list
}

// again returns the links that are missing when all lists have ended, but for those asked
// for before. Nothing else is referred to from then on.
func (p *pace) again(asked references) references {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := references{}
	for _, g := range p.namespaces {
		g.referred = g.missing()
		maps.DeleteFunc(g.referred, func(r reference, _ bool) bool { return asked[r] })
		maps.Copy(all, g.referred)
	}
	return all
}

// rest takes the namespaces of which links were missing.
func (p *pace) rest() {
	for name, g := range p.namespaces {
		p.take(name, g)
	}
}

// follow waits until the list that another one follows has passed a namespace.
func (p *pace) follow(ctx context.Context, leader *lister, namespace string) error {
	for {
		p.mu.Lock()
		at, lists := p.at[leader.namespace][leader]
		changed := p.changed
		p.mu.Unlock()
		if !lists || before(namespace, at) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx) //nolint:wrapcheck // the caller says of what
		}
	}
}
