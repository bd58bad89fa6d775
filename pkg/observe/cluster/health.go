package cluster

import (
	"context"
	"errors"
	"sync"

	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// health is how it stands with the listing and watching of one resource. It is well
// when the store holds a whole list, and all that has changed since.
type health struct {
	// synced reports whether the store holds a whole list.
	synced func() bool
	// refused is closed when the server first refuses the resource.
	refused chan struct{}
	// failed is closed when there is no hope for a first list; see cause.
	failed chan struct{}

	mu sync.Mutex
	// cause is how the last list or watch failed; nil when all is well.
	cause error
	// catchUp is what must happen before the store holds all there is.
	catchUp catchUp
	// unread is an object whose template could not be read, and refusal why.
	unread   *metav1.PartialObjectMetadata
	refusal  error
	failures int
}

// catchUp is what a store waits for. A watch that is accepted after a failure has
// not brought yet what it missed, and nothing tells when it has: only another list
// does, which is in the store when the watch that follows it begins.
type catchUp int8

const (
	// waitForNothing: the store holds all there is.
	waitForNothing catchUp = iota
	waitForWatch
	waitForList
)

func newHealth(synced func() bool) *health {
	return &health{synced: synced, refused: make(chan struct{}), failed: make(chan struct{})}
}

// listed notes how a list ended.
func (h *health) listed(ctx context.Context, all listed, err error) {
	if ctx.Err() != nil {
		return // not the server's doing
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cause = err
	if err == nil {
		h.failures, h.catchUp = 0, waitForNothing
		if h.synced() {
			// The store has an older list until it has taken this one.
			h.catchUp = waitForWatch
		}
		h.unread, h.refusal = all.unread, all.refusal
		return
	}
	h.failures++
	switch {
	case apierror.Of(err).Refusal():
		closeOnce(h.refused)
	case !h.synced() && (h.failures == attempts || !worthAnotherTry(err)):
		closeOnce(h.failed)
	}
}

// streamed notes that a stream has brought what there is, which stands for a list.
func (h *health) streamed(ctx context.Context) {
	h.listed(ctx, listed{}, nil)
	h.watching(ctx, nil)
}

// watching notes whether a watch could be begun. After a failure, but for that of a
// server that is merely busy, it needs a list first.
func (h *health) watching(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cause = err
	switch {
	case err == nil && h.catchUp == waitForWatch:
		h.catchUp = waitForNothing
	case err != nil && apierror.Of(err) != apierror.Overloaded:
		h.catchUp = waitForList
	}
}

// needsList reports whether a watch is of no use before another list.
func (h *health) needsList() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.catchUp == waitForList
}

// missed notes an object whose template could not be read.
func (h *health) missed(m *metav1.PartialObjectMetadata, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unread, h.refusal = m, err
}

// missing returns an object whose template could not be read; nil if there is none.
func (h *health) missing() *metav1.PartialObjectMetadata {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unread
}

// errNotListed is what is wrong with a resource that was not listed yet, or not
// since a watch of it failed.
var errNotListed = errors.New("not listed yet")

// gap returns what is wrong, or nil when the store holds all there is.
func (h *health) gap() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.cause != nil:
		return h.cause
	case h.catchUp != waitForNothing || !h.synced():
		return errNotListed
	default:
		return h.refusal
	}
}

func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}
