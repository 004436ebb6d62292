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
)

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
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5}}, []string{"endpoint", "status"}),
	}
	active := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "agentwrit", Name: "active_agents", Help: "Registered agents with unexpired tokens."},
		func() float64 {
			n, err := b.store.ActiveAgents(context.Background(), b.now())
			if err != nil {
				_ = b.readFault(err) // logs it; a gauge has no error to return
			}
			return float64(n)
		})
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.issued, m.revoked, m.registrations, m.adminAuth, m.events, m.launchTokens, m.duration, active)
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
