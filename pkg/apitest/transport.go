package apitest

import (
	"context"
	"io"
	"net/http"
	"sync"
)

// Transport answers requests by a handler, without a network: what waits for the
// server waits for a goroutine, so that in a bubble of testing/synctest time
// passes as soon as everybody waits. A handler that panics, or ends its test, is a
// connection that breaks.
type Transport struct{ Handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // read whole by then
	}
	// As with a connection, the server's work ends with the request.
	ctx, cancel := context.WithCancel(r.Context())
	reader, writer := io.Pipe()
	w := &response{header: http.Header{}, body: writer, started: make(chan struct{})}
	broken := make(chan struct{})
	go func() {
		answered := false
		defer func() {
			_ = recover()
			if !answered {
				_ = writer.CloseWithError(io.ErrUnexpectedEOF)
				close(broken)
			}
		}()
		t.Handler.ServeHTTP(w, r.WithContext(ctx))
		answered = true
		w.start(http.StatusOK)
		_ = writer.Close()
	}()
	context.AfterFunc(ctx, func() { _ = reader.CloseWithError(context.Canceled) })
	select {
	case <-w.started:
		return &http.Response{
			StatusCode: w.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: w.header, Body: &answerBody{reader, cancel}, ContentLength: -1, Request: r,
		}, nil
	case <-broken:
		cancel()
		return nil, io.ErrUnexpectedEOF
	case <-ctx.Done():
		cancel()
		return nil, ctx.Err()
	}
}

// answerBody is the body of an answer; closing it ends the request.
type answerBody struct {
	io.Reader
	cancel func()
}

// Close implements io.Closer.
func (b *answerBody) Close() error {
	b.cancel()
	return nil
}

// response is a ResponseWriter whose body is a pipe.
type response struct {
	header  http.Header
	body    *io.PipeWriter
	code    int
	once    sync.Once
	started chan struct{}
}

func (w *response) start(code int) {
	w.once.Do(func() {
		w.code = code
		close(w.started)
	})
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(code int) { w.start(code) }

// Flush implements http.Flusher.
func (w *response) Flush() { w.start(http.StatusOK) }

// Write implements http.ResponseWriter.
func (w *response) Write(data []byte) (int, error) {
	w.start(http.StatusOK)
	return w.body.Write(data)
}
