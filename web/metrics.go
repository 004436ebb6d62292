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
)

// metrics are the app's own; the broker has its own at its own address. Labels
// are of a fixed set: routes as they are declared, never paths.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	started  prometheus.Counter
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "medassist_request_duration_seconds", Help: "Time until a request was answered.",
		}, []string{"route", "status"}),
		started: prometheus.NewCounter(prometheus.CounterOpts{Name: "medassist_runs_started_total", Help: "Runs started."}),
	}
	m.registry.MustRegister(m.requests, m.started, collectors.NewGoCollector(),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "medassist_live_runs", Help: "Runs that go on."},
			func() float64 { return float64(len(s.cfg.Runs.Live())) }))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

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
