package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// pingTimeout is the maximum response time of the API server, below the default timeout
// of probes.
const pingTimeout = 800 * time.Millisecond

// Handler serves endpoints for probes and monitoring:
//
//	/healthz  the process responds
//	/readyz   everything was observed once, and the API server responds
//	/metrics  see the README of the manifests
func (c *Controller) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := c.ready(r.Context()); err != nil {
			say(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		say(w, http.StatusOK, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.metrics.registry, promhttp.HandlerOpts{Registry: c.metrics.registry}))
	return mux
}

// ready returns an error if the controller cannot work now.
func (c *Controller) ready(ctx context.Context) error {
	if !c.synced.Load() {
		return errors.New("the first observation has not completed")
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := c.options.Ping(ctx); err != nil {
		return fmt.Errorf("reaching the API server: %w", err)
	}
	return nil
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, text) //nolint:errcheck // the client has gone
}
