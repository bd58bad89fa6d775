// Package apierror classifies the errors of requests to an API server.
//
// Input is an error; output is a Reason, which can be published: it has no address,
// no port and no name, and it stays the same for as long as the problem does.
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
	// Forbidden: the user has no permission.
	Forbidden Reason = "Forbidden"
	// NotServed: the server has no such resource.
	NotServed Reason = "NotServed"
	// Unauthorized: the server does not know the user.
	Unauthorized Reason = "Unauthorized"
	// QuotaExceeded: a quota of the namespace is used up.
	QuotaExceeded Reason = "QuotaExceeded"
	// Conflict: another client has changed the object.
	Conflict Reason = "Conflict"
	// Expired: the continue token or the resource version is too old.
	Expired Reason = "Expired"
	// TooManyRequests: the server asks the client to retry later.
	TooManyRequests Reason = "TooManyRequests"
	// InternalError: the server failed.
	InternalError Reason = "InternalError"
	// Pending: the request has not completed yet.
	Pending Reason = "Pending"
	// Interrupted: the connection was lost.
	Interrupted Reason = "Interrupted"
	// Unreachable: no connection could be established.
	Unreachable Reason = "Unreachable"
	// Timeout: the deadline passed, or the request was canceled.
	Timeout Reason = "Timeout"
	// Refused: the server rejected the request for another reason.
	Refused Reason = "Refused"
)

// Of returns the reason of an error, which must not be nil. An error that is not a
// response of a server is Timeout if a context ended, Interrupted if a connection
// was lost, and Unreachable otherwise.
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
		return TooManyRequests
	case code >= http.StatusInternalServerError:
		return InternalError
	default:
		return Refused
	}
}

// isQuota reports whether a quota forbids another object
// (apiserver/pkg/admission/plugin/resourcequota/controller.go).
func isQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}

// Transient reports whether the same request may succeed later.
func (r Reason) Transient() bool {
	switch r {
	case Pending, Expired, TooManyRequests, InternalError, Interrupted, Unreachable, Timeout:
		return true
	default:
		return false
	}
}

// Refusal reports whether the server responds, but does not permit or does not serve
// the request.
func (r Reason) Refusal() bool { return r == Forbidden || r == NotServed }
