package controller

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
)

// Requests are metrics of requests to the API server by method and status code, with the
// names that Kubernetes components use. There is no label for URLs, which would give as
// many series as there are objects. client-go's metrics are global to a process; these
// belong to a controller.
type Requests struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// NewRequests returns metrics of requests; see Options.
func NewRequests() *Requests {
	return &Requests{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rest_client_requests_total", Help: "Requests to the API server by method and code.",
		}, []string{"code", "method"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rest_client_request_duration_seconds", Help: "Time until the API server begins a response.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 8),
		}, []string{"method"}),
	}
}

// Count counts the requests of clients that are created from config.
func (r *Requests) Count(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return counting{r, next} })
}

// counting is a transport that counts requests.
type counting struct {
	*Requests
	next http.RoundTripper
}

// WrappedRoundTripper implements net.RoundTripperWrapper, by which client-go finds the
// connections to close.
func (c counting) WrappedRoundTripper() http.RoundTripper { return c.next }

// RoundTrip implements http.RoundTripper.
func (c counting) RoundTrip(request *http.Request) (*http.Response, error) {
	begin := time.Now()
	response, err := c.next.RoundTrip(request)
	code := "<error>" // as client-go counts it
	if err == nil {
		code = strconv.Itoa(response.StatusCode)
	}
	c.total.WithLabelValues(code, request.Method).Inc()
	c.duration.WithLabelValues(request.Method).Observe(time.Since(begin).Seconds())
	return response, err //nolint:wrapcheck // a transport must not change errors
}
