package cluster

import (
	"context"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestHealth(t *testing.T) {
	answer := func(code int) error {
		return apierrors.NewGenericServerResponse(code, "list", schema.GroupResource{Resource: "pods"}, "", "", 0, true)
	}
	tests := map[string]struct {
		err     error
		synced  bool
		refused bool
		// failsAfter is the number of lists that end with the error before there
		// is no hope; 0 means that there always is.
		failsAfter int
	}{
		"forbidden":                {err: answer(http.StatusForbidden), refused: true},
		"not served":               {err: answer(http.StatusNotFound), refused: true},
		"not listed":               {err: answer(http.StatusMethodNotAllowed), refused: true},
		"unknown user":             {err: answer(http.StatusUnauthorized), failsAfter: 1},
		"unreachable":              {err: syscall.ECONNREFUSED, failsAfter: 1},
		"not understood":           {err: errors.New("decoding"), failsAfter: 1},
		"unreachable later":        {err: syscall.ECONNREFUSED, synced: true},
		"expired":                  {err: apierrors.NewResourceExpired("expired"), failsAfter: attempts},
		"too many requests":        {err: answer(http.StatusTooManyRequests), failsAfter: attempts},
		"server error":             {err: answer(http.StatusInternalServerError), failsAfter: attempts},
		"unavailable":              {err: answer(http.StatusServiceUnavailable), failsAfter: attempts},
		"connection reset":         {err: syscall.ECONNRESET, failsAfter: attempts},
		"connection closed":        {err: io.ErrUnexpectedEOF, failsAfter: attempts},
		"server error in the past": {err: answer(http.StatusInternalServerError), synced: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHealth(func() bool { return tc.synced })
			for n := 1; n <= attempts+1; n++ {
				h.listed(t.Context(), listed{}, tc.err)
				if got, want := isClosed(h.failed), tc.failsAfter > 0 && n >= tc.failsAfter; got != want {
					t.Errorf("after %d lists: failed %v, want %v", n, got, want)
				}
			}
			if got := isClosed(h.refused); got != tc.refused {
				t.Errorf("refused %v, want %v", got, tc.refused)
			}
			if !errors.Is(h.gap(), tc.err) {
				t.Errorf("gap %v, want %v", h.gap(), tc.err)
			}
			h.listed(t.Context(), listed{}, nil)
			if h.gap() == nil {
				t.Error("no gap before the list is in the store")
			}
			h.watching(t.Context(), nil)
			if err := h.gap(); (err == nil) != tc.synced {
				t.Errorf("gap %v after a whole list", err)
			}
		})
	}
}

// An end of the run says nothing of the server.
func TestHealthIgnoresTheEnd(t *testing.T) {
	h := newHealth(func() bool { return true })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.listed(ctx, listed{}, ctx.Err())
	h.watching(ctx, ctx.Err())
	if err := h.gap(); err != nil || isClosed(h.failed) || isClosed(h.refused) {
		t.Errorf("gap %v, failed %v, refused %v", err, isClosed(h.failed), isClosed(h.refused))
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
