package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// metrics are the app's own; the broker serves its own at its own address.
// Labels come from a fixed set: routes as they are registered, never paths.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

func newMetrics(runs *agents.Service, streams *sse.Streams) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "medassist_request_duration_seconds", Help: "Time to answer a request.",
		}, []string{"route", "status"}),
	}
	m.registry.MustRegister(m.requests, runCounts{runs},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "medassist_viewers", Help: "Open event streams of pages and clients."},
			func() float64 { return float64(streams.Open()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "medassist_stream_bytes_total", Help: "Bytes written to event streams."},
			func() float64 { return float64(streams.Sent()) }))
	return m
}

// serve is GET /metrics.
func (m *metrics) serve(w http.ResponseWriter, r *http.Request) error {
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return nil
}

// observe measures every request.
func (m *metrics) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(ww, r)
		route := chi.RouteContext(r.Context()).RoutePattern()
		if route == "" {
			route = "none"
		}
		m.requests.WithLabelValues(route, strconv.Itoa(ww.Status()/100)+"xx").Observe(time.Since(began).Seconds())
	})
}

// runCounts collects the counts that the service keeps.
type runCounts struct{ runs *agents.Service }

var (
	liveRuns    = prometheus.NewDesc("medassist_live_runs", "Live runs.", nil, nil)
	startedRuns = prometheus.NewDesc("medassist_runs_started_total", "Runs started.", nil, nil)
	endedRuns   = prometheus.NewDesc("medassist_runs_ended_total", "Runs ended, by outcome.", []string{"outcome"}, nil)
)

// outcomes are those of runs that this process can end.
var outcomes = []trace.Outcome{trace.OutcomeAnswered, trace.OutcomeCancelled, trace.OutcomeFailed, trace.OutcomeInterrupted}

// Describe implements [prometheus.Collector].
func (c runCounts) Describe(out chan<- *prometheus.Desc) {
	out <- liveRuns
	out <- startedRuns
	out <- endedRuns
}

// Collect implements [prometheus.Collector].
func (c runCounts) Collect(out chan<- prometheus.Metric) {
	live, started, ended := c.runs.Counts()
	out <- prometheus.MustNewConstMetric(liveRuns, prometheus.GaugeValue, float64(live))
	out <- prometheus.MustNewConstMetric(startedRuns, prometheus.CounterValue, float64(started))
	for _, outcome := range outcomes {
		out <- prometheus.MustNewConstMetric(endedRuns, prometheus.CounterValue, float64(ended[outcome]), string(outcome))
	}
}
