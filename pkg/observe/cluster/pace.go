package cluster

import (
	"context"
	"sync"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
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

// pace is how far the pods have been listed. The links follow them, so that only those are
// kept that something refers to: a Deployment has ten old ReplicaSets, which link nothing.
// Lists are sorted by namespace and name on every known server. Where they are not, more
// links are missing in the end, and are listed once more.
type pace struct {
	mu       sync.Mutex
	referred references
	// current is the namespace whose pods are being listed, if they are not done.
	current string
	done    bool
	changed chan struct{} // closed at the next change
}

func newPace(done bool) *pace {
	return &pace{referred: references{}, done: done, changed: make(chan struct{})}
}

// refer notes what a record refers to.
func (p *pace) refer(r *observe.Record) {
	if to, ok := linkOf(r); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.referred[to] = true
	}
}

// refers reports whether a record refers to a link.
func (p *pace) refers(to reference) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.referred[to]
}

// reach notes that pods of a namespace have been listed, and finish that all have.
func (p *pace) reach(namespace string) { p.set(namespace, false) }
func (p *pace) finish()                { p.set("", true) }

func (p *pace) set(current string, done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current, p.done = current, p.done || done
	close(p.changed)
	p.changed = make(chan struct{})
}

// follow waits until all pods of a namespace have been listed.
func (p *pace) follow(ctx context.Context, namespace string) error {
	for {
		p.mu.Lock()
		passed, changed := p.done || p.current+"/" > namespace+"/", p.changed // as keys of etcd
		p.mu.Unlock()
		if passed {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx) //nolint:wrapcheck // the caller says of what
		}
	}
}
