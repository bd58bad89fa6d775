package faults

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"syscall"
	"time"
)

// Server returns a proxy of the server at target, which listens on one address. Clients
// speak HTTP with it, so that a connection is one of TCP only, which can be reset.
func (t *Transport) Server(target *url.URL) *http.Server {
	silent := log.New(io.Discard, "", 0) // faults are no news
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     t,
		FlushInterval: -1, // each event at once
		ErrorLog:      silent,
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ECONNREFUSED) {
				resetConnection(r.Context())
			}
			panic(http.ErrAbortHandler) // closes the connection
		},
	}
	return &http.Server{
		Handler: proxy, ErrorLog: silent, ReadHeaderTimeout: time.Minute,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, c)
		},
	}
}
