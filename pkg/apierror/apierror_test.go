package apierror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestOf(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	status := func(code int32) error { return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code}} }
	for _, tc := range []struct {
		err                error
		want               Reason
		transient, refusal bool
	}{
		{apierrors.NewForbidden(pods, "", errors.New("no")), Forbidden, false, true},
		{apierrors.NewForbidden(pods, "", errors.New("exceeded quota: few")), QuotaExceeded, false, false},
		{apierrors.NewNotFound(pods, "a"), NotServed, false, true},
		{apierrors.NewMethodNotSupported(pods, "list"), NotServed, false, true},
		{apierrors.NewUnauthorized("who"), Unauthorized, false, false},
		{apierrors.NewConflict(pods, "a", errors.New("x")), Conflict, false, false},
		{apierrors.NewResourceExpired("old"), Expired, true, false},
		{apierrors.NewTooManyRequests("slow", 1), TooManyRequests, true, false},
		{apierrors.NewInternalError(errors.New("x")), InternalError, true, false},
		{status(503), InternalError, true, false},
		{status(504), InternalError, true, false},
		{apierrors.NewBadRequest("x"), Refused, false, false},
		{apierrors.NewInvalid(schema.GroupKind{}, "x", nil), Refused, false, false},
		{io.ErrUnexpectedEOF, Interrupted, true, false},
		{errors.New("dial tcp 10.0.0.1:443: connection refused"), Unreachable, true, false},
		{context.DeadlineExceeded, Timeout, true, false},
		{context.Canceled, Timeout, true, false},
	} {
		t.Run(fmt.Sprint(tc.err), func(t *testing.T) {
			got := Of(fmt.Errorf("listing pods: %w", tc.err))
			if got != tc.want || got.Transient() != tc.transient || got.Refusal() != tc.refusal {
				t.Errorf("got %s, transient %t, refusal %t; want %s, %t, %t", got, got.Transient(), got.Refusal(), tc.want, tc.transient, tc.refusal)
			}
		})
	}
}
