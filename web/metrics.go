package web

import (
	"context"
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
)

// metrics are the app's own; the broker serves its own at its own address.
// Labels come from a fixed set: routes as they are registered, never paths.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	started  prometheus.Counter
}

func newMetrics(runs *agents.Service) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "medassist_request_duration_seconds", Help: "Time to answer a request.",
		}, []string{"route", "status"}),
		started: prometheus.NewCounter(prometheus.CounterOpts{Name: "medassist_runs_started_total", Help: "Runs started."}),
	}
	m.registry.MustRegister(m.requests, m.started, collectors.NewGoCollector(),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "medassist_live_runs", Help: "Live runs."},
			func() float64 { return float64(len(runs.Live())) }))
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

// countedRuns counts the runs that pages and API start.
type countedRuns struct {
	*agents.Service
	started prometheus.Counter
}

func (c countedRuns) Start(ctx context.Context, req agents.Request) (trace.Run, error) {
	run, err := c.Service.Start(ctx, req)
	if err == nil {
		c.started.Inc()
	}
	return run, err
}
