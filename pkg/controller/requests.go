package controller

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
)

// Requests counts requests to the API server by their method and the code of the
// answer: not by address or name, which would make as many series as a cluster has
// objects. The names are those that Kubernetes' own components use; client-go's own
// metrics can be registered once in a process, and these with each controller.
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
			Name: "rest_client_request_duration_seconds", Help: "How long the API server takes to begin an answer.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 8),
		}, []string{"method"}),
	}
}

// Count has the requests of clients that are made from config counted.
func (r *Requests) Count(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return counting{r, next} })
}

// counting is a transport that counts.
type counting struct {
	*Requests
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c counting) RoundTrip(request *http.Request) (*http.Response, error) {
	begin := time.Now()
	answer, err := c.next.RoundTrip(request)
	code := "<error>" // as client-go counts it
	if err == nil {
		code = strconv.Itoa(answer.StatusCode)
	}
	c.total.WithLabelValues(code, request.Method).Inc()
	c.duration.WithLabelValues(request.Method).Observe(time.Since(begin).Seconds())
	return answer, err //nolint:wrapcheck // a transport returns errors as they are
}
