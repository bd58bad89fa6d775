package observe

import (
	"context"
	"errors"
	"net/http"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// attempts is how often a first list is tried while the server says that it is
// not able to answer now.
const attempts = 5

// health is how it stands with the listing and watching of one resource.
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
	// partial is what the last list could not bring.
	partial  error
	failures int
}

func newHealth(synced func() bool) *health {
	return &health{synced: synced, refused: make(chan struct{}), failed: make(chan struct{})}
}

// listed notes how a list ended.
func (h *health) listed(ctx context.Context, partial, err error) {
	if ctx.Err() != nil {
		return // not the server's doing
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cause, h.partial = err, partial
	if err == nil {
		h.failures = 0
		return
	}
	h.failures++
	switch {
	case isRefusal(err):
		closeOnce(h.refused)
	case !h.synced() && (h.failures == attempts || !isPassing(err)):
		closeOnce(h.failed)
	}
}

// watching notes whether a watch could be begun.
func (h *health) watching(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cause = err
}

// errNotListed is what is wrong with a resource that was not listed yet.
var errNotListed = errors.New("not listed yet")

// gap returns what is wrong, or nil when the store holds all there is.
func (h *health) gap() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.cause != nil:
		return h.cause
	case !h.synced():
		return errNotListed
	default:
		return h.partial
	}
}

func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// isRefusal reports whether the server does not want a resource to be listed, or
// does not serve it.
func isRefusal(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err)
}

// isPassing reports whether the same request may do better later: the server is
// there, but busy, or a list's pages have expired.
func isPassing(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		return code == http.StatusGone || code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
	}
	return utilnet.IsConnectionReset(err) || utilnet.IsHTTP2ConnectionLost(err) || utilnet.IsProbableEOF(err)
}
