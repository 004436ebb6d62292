package broker

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/clientaddr"
)

// Label values of the metrics. All values are in this file or in the protocol;
// none comes from a request.
const (
	success = "success"
	failure = "failure"

	kindAgent     = "agent"
	kindDelegated = "delegated"
	kindRenewed   = "renewed"
	kindAdmin     = "admin"
	kindApp       = "app"
	kindReleased  = "released"

	otherRoute = "other"

	dbRead  = "read"
	dbWrite = "write"
)

// buckets are those of durations, in seconds.
var buckets = []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5}

// metrics holds the metrics of GET /v1/metrics. Each broker has its own registry,
// so two brokers in one process are counted separately.
type metrics struct {
	handler       http.Handler
	issued        *prometheus.CounterVec // by kind of token
	revoked       *prometheus.CounterVec // by level
	registrations *prometheus.CounterVec // by outcome
	adminAuth     *prometheus.CounterVec // by outcome
	launchTokens  prometheus.Counter
	events        *prometheus.CounterVec // by type and outcome
	duration      *prometheus.HistogramVec
	writes        prometheus.Histogram
	dbErrors      *prometheus.CounterVec // by operation
}

func newMetrics(b *Broker) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "agentwrit", Name: name, Help: help}, labels)
	}
	m := &metrics{
		issued:        counter("tokens_issued_total", "Access tokens issued, by kind.", "kind"),
		revoked:       counter("tokens_revoked_total", "Revocations, by level, including releases.", "level"),
		registrations: counter("registrations_total", "Agent registrations, by outcome.", "status"),
		adminAuth:     counter("admin_auth_total", "Admin logins, by outcome.", "status"),
		events:        counter("audit_events_total", "Audit events written, by type and outcome.", "event_type", "outcome"),
		launchTokens: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "agentwrit", Name: "launch_tokens_created_total", Help: "Launch tokens created."}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "agentwrit", Name: "request_duration_seconds", Help: "Request duration, by endpoint and status.",
			Buckets: buckets}, []string{"endpoint", "status"}),
		writes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "agentwrit", Name: "audit_write_duration_seconds", Help: "Duration of a commit, which writes its audit events to disk.",
			Buckets: buckets}),
		dbErrors: counter("db_errors_total", "Failures of the database, by operation.", "operation"),
	}
	for _, operation := range []string{dbRead, dbWrite} {
		m.dbErrors.WithLabelValues(operation)
	}
	loaded := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "agentwrit", Name: "audit_events_loaded", Help: "Audit events in the database when the broker started."})
	loaded.Set(float64(b.audit.head().Size))
	skew := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "agentwrit", Name: "clock_skew_total", Help: "Times that the wall clock was set back by a second or more."},
		func() float64 { return float64(b.clock.skewed()) })
	active := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "agentwrit", Name: "active_agents", Help: "Registered agents with unexpired tokens."},
		func() float64 {
			ctx := context.Background()
			n, err := b.store.ActiveAgents(ctx, b.now())
			if err != nil {
				_ = b.readFault(ctx, err) // logs it; a gauge has no error to return
			}
			return float64(n)
		})
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.issued, m.revoked, m.registrations, m.adminAuth, m.events, m.launchTokens, m.duration, m.writes, m.dbErrors, loaded, skew, active)
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return m
}

// serveMetrics is GET /v1/metrics. It counts rows, so it is limited like other reads.
func (b *Broker) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if err := b.read(&request{addr: clientaddr.Of(r)}, wire.MaxAuditPage); err != nil {
		b.problem(w, r, err)
		return
	}
	b.metrics.handler.ServeHTTP(w, r)
}

func (m *metrics) event(e wire.AuditEvent) {
	m.events.WithLabelValues(string(e.EventType), string(e.Outcome)).Inc()
}

func (m *metrics) request(route string, status int, took time.Duration) {
	if route == "" || status == http.StatusNotFound && route == "/*" {
		route = otherRoute
	}
	m.duration.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}
