// Package apierror says what an error of an API server means: whether another try
// may help, and in one word what to publish of it.
//
// An error goes in; a Reason comes out. A reason holds nothing of the request: no
// address, no port, no name. So it is the same for as long as the problem is, and
// fit to be published.
package apierror

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Reason is why a request failed.
type Reason string

// The reasons.
const (
	// Forbidden: the server does not allow it.
	Forbidden Reason = "Forbidden"
	// NotServed: the server has no such resource.
	NotServed Reason = "NotServed"
	// Unauthorized: the server does not know the user.
	Unauthorized Reason = "Unauthorized"
	// QuotaExceeded: a quota of the namespace allows no more.
	QuotaExceeded Reason = "QuotaExceeded"
	// Conflict: another client has written the object meanwhile.
	Conflict Reason = "Conflict"
	// Expired: the pages of a list, or the version of a watch, are gone.
	Expired Reason = "Expired"
	// Overloaded: the server asks to try again later.
	Overloaded Reason = "Overloaded"
	// ServerError: the server failed.
	ServerError Reason = "ServerError"
	// Pending: it was not done yet, or is being done again.
	Pending Reason = "Pending"
	// Interrupted: the connection broke.
	Interrupted Reason = "Interrupted"
	// Unreachable: no connection could be made.
	Unreachable Reason = "Unreachable"
	// Timeout: there was no time left, or the work was stopped.
	Timeout Reason = "Timeout"
	// Refused: the server does not accept the request, for another reason.
	Refused Reason = "Refused"
)

// Of returns the reason for an error, which is not nil. An error that no server
// has sent is Unreachable, or Timeout if a context has ended.
func Of(err error) Reason {
	var status apierrors.APIStatus
	switch {
	case errors.As(err, &status):
		return ofStatus(err, status.Status().Code)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		utilnet.IsConnectionReset(err), utilnet.IsHTTP2ConnectionLost(err), utilnet.IsProbableEOF(err):
		return Interrupted
	default:
		return Unreachable
	}
}

func ofStatus(err error, code int32) Reason {
	switch {
	case isQuota(err):
		return QuotaExceeded
	case apierrors.IsForbidden(err):
		return Forbidden
	case apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err):
		return NotServed
	case apierrors.IsUnauthorized(err):
		return Unauthorized
	case apierrors.IsConflict(err):
		return Conflict
	case code == http.StatusGone:
		return Expired
	case code == http.StatusTooManyRequests:
		return Overloaded
	case code >= http.StatusInternalServerError:
		return ServerError
	default:
		return Refused
	}
}

// isQuota reports whether a quota refuses another object
// (apiserver/pkg/admission/plugin/resourcequota/controller.go).
func isQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}

// Transient reports whether the same request may do better later.
func (r Reason) Transient() bool {
	switch r {
	case Pending, Expired, Overloaded, ServerError, Interrupted, Unreachable, Timeout:
		return true
	default:
		return false
	}
}

// Refusal reports whether the server does not let something be observed, or does
// not have it, and answers otherwise.
func (r Reason) Refusal() bool { return r == Forbidden || r == NotServed }
