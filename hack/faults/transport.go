package faults

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Transport is a client's way to a server, on which faults occur.
type Transport struct {
	// PageSize, if not 0, is the number of objects on a page, whatever the client wants:
	// a server may send fewer. So a small fleet has several pages.
	PageSize int

	next     http.RoundTripper
	schedule Schedule

	mu    sync.Mutex
	pages pages
	// seen is how many requests each fault has matched, and hits how many it has made go
	// wrong.
	seen, hits []int
	// tokens are the credentials that were used so far.
	tokens map[string]bool
}

// NewTransport returns a transport to the server behind next.
func NewTransport(next http.RoundTripper, s Schedule) *Transport {
	t := &Transport{next: next, pages: pages{}, tokens: map[string]bool{}}
	t.Set(s)
	return t
}

// Set begins another schedule; without faults every later request succeeds. A response
// that is already silent remains so, as in a network that has lost a connection.
func (t *Transport) Set(s Schedule) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.schedule, t.seen, t.hits = s, make([]int, len(s)), make([]int, len(s))
}

// Hits returns how often each fault of the schedule has occurred.
func (t *Transport) Hits() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.hits)
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	// Unless a fault is about its compression, it is about what the server says.
	packs := r.Header.Get("Accept-Encoding") == "gzip"
	r.Header.Del("Accept-Encoding")
	if q := r.URL.Query(); t.PageSize > 0 && q.Get("limit") != "" {
		q.Set("limit", strconv.Itoa(t.PageSize))
		r.URL.RawQuery = q.Encode()
	}
	q, due := t.due(r)
	for _, f := range due {
		if response, done, err := f.instead(r, q); done {
			discard(r)
			return response, err //nolint:wrapcheck // a transport must not change errors
		}
	}
	response, err := t.next.RoundTrip(r)
	for _, f := range due {
		if err == nil {
			f.Packed = f.Packed && packs
			response, err = t.change(f, q, r, response)
		}
	}
	return response, err //nolint:wrapcheck // a transport must not change errors
}

// due returns the faults of a request.
func (t *Transport) due(r *http.Request) (request, Schedule) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := parse(r)
	if q.verb == List {
		q.page = t.pages.number(r)
	}
	token := r.Header.Get("Authorization")
	rotated := false
	var due Schedule
	for i, f := range t.schedule {
		if !f.matches(q) {
			continue
		}
		t.seen[i]++
		if !f.due(t.seen[i]) {
			continue
		}
		if f.Kind == Rotated {
			rotated = true
			if !t.tokens[token] {
				continue // a new one
			}
		}
		t.hits[i]++
		due = append(due, f)
	}
	if !rotated {
		t.tokens[token] = true
	}
	return q, due
}

// discard reads a request as a server does that will not answer it.
func discard(r *http.Request) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
}

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// errReset is what a client reads from a connection that was reset.
var errReset = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

// instead returns what a client gets without the server, if that is the fault.
func (f Fault) instead(r *http.Request, q request) (response *http.Response, done bool, err error) {
	switch {
	case f.Kind == Refused:
		return nil, true, errRefused
	case f.Kind == Closed:
		return nil, true, io.EOF
	case f.Kind == Rotated:
		return Fault{Code: http.StatusUnauthorized}.answer(r, q), true, nil
	case f.Kind == Answered:
		return f.answer(r, q), true, nil
	case f.Kind == Silent && q.verb != Watch:
		discard(r) // or the end of the request is not noticed
		<-r.Context().Done()
		return nil, true, r.Context().Err() //nolint:wrapcheck // as of any transport
	default:
		return nil, false, nil
	}
}

// answer returns the response of something that is not the server, or not in order.
func (f Fault) answer(r *http.Request, q request) *http.Response {
	var contentType string
	var body []byte
	switch f.Body {
	case HTML:
		contentType = "text/html"
		body = fmt.Appendf(nil, "<html><head><title>%d %s</title></head><body>\n<center>balancer</center>\n</body></html>\n", f.Code, http.StatusText(f.Code))
	case Empty:
	default:
		if f.Code == http.StatusNotFound {
			// As a server answers about a group that it does not serve
			// (apiserver/pkg/server/mux, 1.24).
			contentType, body = "text/plain", []byte("404 page not found\n")
			break
		}
		contentType = "application/json"
		body, _ = json.Marshal(f.status(q)) // of these types
	}
	response := respond(r, f.Code, contentType, body)
	if f.RetryAfter > 0 {
		response.Header.Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	return response
}

// status returns the words of a server.
func (f Fault) status(q request) metav1.Status {
	resource := schema.GroupResource{Resource: q.resource}
	status := metav1.Status{Status: metav1.StatusFailure, Code: int32(f.Code), Message: "the server is not in order"} //nolint:gosec // a status code fits
	switch f.Code {
	case http.StatusUnauthorized:
		status = apierrors.NewUnauthorized("Unauthorized").Status()
	case http.StatusForbidden:
		status = apierrors.NewForbidden(resource, "", errors.New("no right")).Status()
	case http.StatusGone:
		status = apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result.").Status()
	case http.StatusTooManyRequests:
		status = apierrors.NewTooManyRequests("too many requests, please try again later", f.RetryAfter).Status()
	case http.StatusInternalServerError:
		status = apierrors.NewInternalError(errors.New("etcdserver: leader changed")).Status()
	case http.StatusServiceUnavailable:
		status = apierrors.NewServiceUnavailable("apiserver is shutting down").Status()
	}
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	return status
}

func respond(r *http.Request, code int, contentType string, body []byte) *http.Response {
	response := &http.Response{
		Status: strconv.Itoa(code) + " " + http.StatusText(code), StatusCode: code,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Request: r,
	}
	if contentType != "" {
		response.Header.Set("Content-Type", contentType)
	}
	setBody(response, body)
	return response
}

// change returns the response with the fault in it.
func (t *Transport) change(f Fault, q request, r *http.Request, response *http.Response) (*http.Response, error) {
	switch f.Kind {
	case Lost:
		_, _ = io.Copy(io.Discard, response.Body) // when it is done, the server has done what it does
		_ = response.Body.Close()
		return nil, errReset
	case Skewed:
		if err := skew(response, q, f.At); err != nil {
			return nil, err
		}
		return response, nil
	case Slow:
		if q.verb != Watch {
			if err := readWhole(response); err != nil {
				return nil, err
			}
		}
		response.Body = &slowBody{ReadCloser: response.Body, ctx: r.Context(), pause: f.At, left: slowBytes}
		return response, nil
	case Dropped:
		return t.withoutPage(r, response)
	case Upgraded:
		if err := upgrade(response); err != nil {
			return nil, err
		}
		return response, nil
	case Reset, Truncated, Shortened, Corrupted, Silent, Ended, ErrorEvent:
	case Refused, Closed, Answered, Rotated:
		return response, nil // see instead
	}
	if q.verb == Watch {
		f.inEvents(r.Context(), response)
		return response, nil
	}
	if err := f.inBody(r.Context(), response); err != nil {
		return nil, err
	}
	return response, nil
}

// inBody puts the fault into a response that has an end.
func (f Fault) inBody(ctx context.Context, response *http.Response) error {
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return err //nolint:wrapcheck // as the server has it
	}
	if f.Packed && response.Header.Get("Content-Encoding") == "" {
		body = pack(body)
		response.Header.Set("Content-Encoding", "gzip")
	}
	end := len(body) * min(max(f.At, 0), 999) / 1000
	switch f.Kind {
	case Reset, Truncated:
		setBody(response, body)
		if f.At%2 == 1 {
			response.ContentLength = -1 // chunked, without the last chunk
			response.Header.Del("Content-Length")
		}
		err := error(errReset)
		if f.Kind == Truncated {
			err = io.ErrUnexpectedEOF
		}
		response.Body = &brokenBody{data: body[:end], err: err, ctx: ctx}
	case Shortened:
		if f.At < 0 {
			end = fieldEnd(body, -f.At)
		}
		setBody(response, body[:end])
	case Corrupted:
		if f.Packed && end < len(body) {
			body[end] ^= 1
		} else {
			body = corrupt(body, f.At)
		}
		setBody(response, body)
	case Ended, ErrorEvent, Silent: // watches only
		setBody(response, body)
	default:
	}
	return nil
}

// pack compresses a body as a server does.
func pack(body []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(body) // into memory
	_ = w.Close()
	return out.Bytes()
}

func setBody(response *http.Response, body []byte) {
	response.Body = io.NopCloser(strings.NewReader(string(body)))
	response.ContentLength = int64(len(body))
	response.Header.Set("Content-Length", strconv.Itoa(len(body)))
	response.TransferEncoding = nil
}

// readWhole reads a response, so that a slow client keeps a server of package apitest
// from nothing.
func readWhole(response *http.Response) error {
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return err //nolint:wrapcheck // as the server has it
	}
	setBody(response, body)
	return nil
}

// withoutPage returns the page after the one in the response, if there is one.
func (t *Transport) withoutPage(r *http.Request, response *http.Response) (*http.Response, error) {
	if err := readWhole(response); err != nil {
		return nil, err
	}
	asJSON := r.Clone(r.Context())
	asJSON.Header.Set("Accept", "application/json")
	same, err := t.next.RoundTrip(asJSON)
	if err != nil {
		return nil, err //nolint:wrapcheck // as the server has it
	}
	defer same.Body.Close() //nolint:errcheck // read whole
	var list metav1.PartialObjectMetadataList
	if err := json.NewDecoder(same.Body).Decode(&list); err != nil {
		return nil, fmt.Errorf("reading the page to drop: %w", err)
	}
	if list.Continue == "" {
		return response, nil
	}
	next := r.Clone(r.Context())
	q := next.URL.Query()
	q.Set("continue", list.Continue)
	next.URL.RawQuery = q.Encode()
	return t.next.RoundTrip(next) //nolint:wrapcheck // as the server has it
}
