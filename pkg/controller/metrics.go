package controller

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	"github.com/psp-advisor/psp-advisor/pkg/report"
)

// metrics of a replica. Their number does not depend on the cluster: no label has a name
// of an object.
type metrics struct {
	registry    *prometheus.Registry
	leader      prometheus.Gauge
	reports     prometheus.Gauge
	stale       prometheus.Gauge
	gaps        prometheus.Gauge
	policies    *prometheus.GaugeVec
	findings    *prometheus.GaugeVec
	writes      *prometheus.CounterVec
	passes      *prometheus.CounterVec
	duration    prometheus.Histogram
	lastSuccess prometheus.Gauge
}

// The results of writes and passes.
const (
	created    = "created"
	configured = "configured"
	unchanged  = "unchanged"
	deleted    = "deleted"
	failed     = "failed"

	succeeded = "succeeded"
	partial   = "partial"
)

func newMetrics(observer Observer, o Options) *metrics {
	const prefix = "psp_advisor_"
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + name, Help: help})
	}
	held := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + name, Help: help}, func() float64 { return float64(value()) })
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		leader:   gauge("leader", "1 while this replica publishes."),
		reports:  gauge("reports", "Reports in the index, as of the last pass."),
		stale:    gauge("stale_reports", "Reports in the index that are out of date, as of the last pass."),
		gaps:     gauge("gaps", "Things that could not be observed or published in the last pass."),
		policies: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: prefix + "policies", Help: "Policies in the reports, as of the last pass.",
		}, []string{"level"}),
		findings: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: prefix + "findings", Help: "What is wrong with workloads, by the rule that they break and its severity, as of the last pass.",
		}, []string{"severity", "rule"}),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "writes_total", Help: "ConfigMaps by the result of a pass.",
		}, []string{"result"}),
		passes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "passes_total", Help: "Passes by result.",
		}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: prefix + "pass_duration_seconds", Help: "Duration of passes.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 8),
		}),
		lastSuccess: gauge("last_success_timestamp_seconds", "Time of the last pass that published everything."),
	}
	// Initialize all series, so that the first increase is visible.
	m.policies.WithLabelValues(string(o.Publish.Level))
	for _, result := range []string{created, configured, unchanged, deleted, failed} {
		m.writes.WithLabelValues(result)
	}
	for _, result := range []string{succeeded, partial, failed} {
		m.passes.WithLabelValues(result)
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: prefix + "build_info", Help: "1, labeled with the version of this program.",
	}, []string{"version", "commit", "goversion"})
	build.WithLabelValues(o.Version, o.Commit, runtime.Version()).Set(1)
	if o.Requests != nil {
		m.registry.MustRegister(o.Requests.total, o.Requests.duration)
	}
	m.registry.MustRegister(
		build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.leader, m.reports, m.stale, m.gaps, m.policies, m.findings, m.writes, m.passes, m.duration, m.lastSuccess,
		held("pods", "Pods in memory.", observer.Pods),
		held("profiles", "Distinct profiles in memory.", observer.Profiles),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: prefix + "watches_total", Help: "Watches begun; all but one per resource are restarts.",
		}, func() float64 { return float64(observer.Watches()) }),
	)
	return m
}

// observe records the result of a pass.
func (m *metrics) observe(r publish.Result, err error, took time.Duration) {
	m.duration.Observe(took.Seconds())
	for result, n := range map[string]int{
		created: r.Writes.Created, configured: r.Writes.Configured, unchanged: r.Writes.Unchanged,
		deleted: r.Writes.Deleted, failed: r.Writes.Failed,
	} {
		m.writes.WithLabelValues(result).Add(float64(n))
	}
	if err != nil {
		m.passes.WithLabelValues(failed).Inc()
		return
	}
	policies, stale := 0, 0
	found := map[report.RuleSeverity]int{}
	for _, e := range r.Entries {
		for rule, n := range e.Rules {
			found[rule] += n
		}
	}
	m.findings.Reset()
	for rule, n := range found {
		m.findings.WithLabelValues(string(rule.Severity), rule.Rule).Set(float64(n))
	}
	for _, e := range r.Index.Reports {
		policies += e.Policies
		if e.Stale != nil {
			stale++
		}
	}
	m.reports.Set(float64(len(r.Index.Reports)))
	m.stale.Set(float64(stale))
	m.gaps.Set(float64(len(r.Index.Coverage.Gaps)))
	m.policies.WithLabelValues(string(r.Index.Level)).Set(float64(policies))
	if r.Problem() != "" {
		m.passes.WithLabelValues(partial).Inc()
		return
	}
	m.passes.WithLabelValues(succeeded).Inc()
	m.lastSuccess.SetToCurrentTime()
}
