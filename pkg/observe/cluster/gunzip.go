package cluster

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// gunzip is a transport that requests compressed responses and decompresses them, which is
// a quarter of the CPU time that a big cluster takes. That of net/http does so too, but
// 4 KiB at a time, after each of which it tells an HTTP/2 server to send more, and with a
// slower library.
type gunzip struct {
	http.RoundTripper
	idle sync.Pool // of *decompressor
}

// RoundTrip implements http.RoundTripper.
func (g *gunzip) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := g.RoundTripper.RoundTrip(request)
	if err != nil || !strings.EqualFold(response.Header.Get("Content-Encoding"), "gzip") {
		return response, err //nolint:wrapcheck // a transport like any other
	}
	response.Header.Del("Content-Encoding")
	response.Header.Del("Content-Length") // that of the compressed response
	response.ContentLength, response.Uncompressed = -1, true
	response.Body = &gunzipped{compressed: response.Body, from: g}
	return response, nil
}

// WrappedRoundTripper implements net.RoundTripperWrapper of apimachinery, by which idle
// connections are closed.
func (g *gunzip) WrappedRoundTripper() http.RoundTripper { return g.RoundTripper }

// decompressor has what a response needs until it has been read.
type decompressor struct {
	buffer *bufio.Reader
	reader gzip.Reader
}

// gunzipped is the body of a response. It is read by one goroutine, and may be closed by
// another meanwhile.
type gunzipped struct {
	compressed io.ReadCloser
	from       *gunzip
	current    *decompressor // nil before the first read, and in the end
	err        error         // of the first read that failed
}

// Read implements io.Reader. Nothing is read before it is called: the header of the
// stream may be late.
func (b *gunzipped) Read(p []byte) (n int, err error) {
	if b.err == nil && b.current == nil {
		b.begin()
	}
	if b.err == nil {
		n, b.err = b.current.reader.Read(p)
	}
	if b.err != nil && b.current != nil {
		b.from.idle.Put(b.current)
		b.current = nil
	}
	return n, b.err
}

func (b *gunzipped) begin() {
	d, ok := b.from.idle.Get().(*decompressor)
	if !ok {
		d = &decompressor{buffer: bufio.NewReaderSize(nil, 1<<17)}
	}
	d.buffer.Reset(b.compressed)
	b.current, b.err = d, d.reader.Reset(d.buffer)
}

// Close implements io.Closer. It makes a read end that is in progress, and leaves the
// decompressor to it.
func (b *gunzipped) Close() error { return b.compressed.Close() } //nolint:wrapcheck // a body like any other
