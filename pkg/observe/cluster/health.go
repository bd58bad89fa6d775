package cluster

import (
	"context"
	"errors"
	"sync"

	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// health is the state of listing and watching one resource. A resource is healthy if
// the store has a complete list and all changes since.
type health struct {
	// synced reports whether the store has a complete list.
	synced func() bool
	// refused is closed when the server refuses the resource for the first time.
	refused chan struct{}
	// failed is closed when the first list has failed for good; see cause.
	failed chan struct{}

	mu sync.Mutex
	// cause is the error of the last list or watch; nil if it succeeded.
	cause error
	// catchUp is what the store waits for until it is complete.
	catchUp catchUp
	// unread is an object whose template is forbidden, and refusal the error.
	unread   *metav1.PartialObjectMetadata
	refusal  error
	failures int
}

// catchUp is what a store waits for until it is complete. A watch that the server
// accepts after a failure has not delivered yet what was missed, and does not signal
// when it has. Only a list does: its result is in the store when the next watch
// begins.
type catchUp int8

const (
	// waitForNothing: the store is complete.
	waitForNothing catchUp = iota
	waitForWatch
	waitForList
)

func newHealth(synced func() bool) *health {
	return &health{synced: synced, refused: make(chan struct{}), failed: make(chan struct{})}
}

// listed records the result of a list.
func (h *health) listed(ctx context.Context, all listed, err error) {
	if ctx.Err() != nil {
		return // the client ended the list
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cause = err
	if err == nil {
		h.failures, h.catchUp = 0, waitForNothing
		if h.synced() {
			// The store still has the previous list.
			h.catchUp = waitForWatch
		}
		h.unread, h.refusal = all.unread, all.refusal
		return
	}
	h.failures++
	switch {
	case apierror.Of(err).Refusal():
		closeOnce(h.refused)
	case !h.synced() && (h.failures == attempts || !retriable(err)):
		closeOnce(h.failed)
	}
}

// streamed records that a stream has delivered all existing objects, like a list.
func (h *health) streamed(ctx context.Context) {
	h.listed(ctx, listed{}, nil)
	h.watching(ctx, nil)
}

// watching records whether a watch has begun. After any failure except an overloaded
// server a list is needed before the next watch.
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
	case err != nil && apierror.Of(err) != apierror.TooManyRequests:
		h.catchUp = waitForList
	}
}

// needsList reports whether a list is needed before the next watch.
func (h *health) needsList() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.catchUp == waitForList
}

// missed records an object whose template is forbidden.
func (h *health) missed(m *metav1.PartialObjectMetadata, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unread, h.refusal = m, err
}

// missing returns an object whose template is forbidden; nil if there is none.
func (h *health) missing() *metav1.PartialObjectMetadata {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unread
}

// errNotListed is the gap of a resource that has not been listed yet, or not since its
// watch failed.
var errNotListed = errors.New("not listed yet")

// gap returns the error because of which the store may be incomplete, or nil.
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
