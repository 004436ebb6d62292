package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/attack"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/internal/values"
	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/twin"
	"github.com/devonartis/medassist-go/web/api"
	"github.com/devonartis/medassist-go/web/attacks"
	"github.com/devonartis/medassist-go/web/audit"
	"github.com/devonartis/medassist-go/web/auditlog"
	"github.com/devonartis/medassist-go/web/hero"
	"github.com/devonartis/medassist-go/web/internal/guard"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/shared"
	"github.com/devonartis/medassist-go/web/internal/sse"
	"github.com/devonartis/medassist-go/web/operator"
	"github.com/devonartis/medassist-go/web/reference"
	"github.com/devonartis/medassist-go/web/run"
	"github.com/devonartis/medassist-go/web/stage"
	"github.com/devonartis/medassist-go/web/static"
	comparison "github.com/devonartis/medassist-go/web/twin"
	"github.com/devonartis/medassist-go/web/ui"
)

// Broker reports the broker's health.
type Broker interface {
	Health(ctx context.Context) (*agentwrit.Health, error)
}

// ViewerLimits returns how many streams viewers may have open, and how many of
// them at one address, of two settings of [Config].
func ViewerLimits(viewers, perAddress int) (total, ofOne int) {
	return guard.ViewerLimits(viewers, perAddress)
}

// Config is what a [Server] needs. All fields are required up to
// ModelMode, and Preflight.
type Config struct {
	Runs    *agents.Service
	Log     trace.Log
	Records *records.Store
	Broker  Broker
	Twins   *twin.Service
	// Lab starts a lab that replays attacks in this log, and AttackReport returns the
	// score of the last check.
	Lab          func(ctx context.Context) (*attack.Lab, error)
	AttackReport func() (attack.Report, bool, error)
	// Decisions is MedAssist's own log of decisions about calls.
	Decisions *decisions.Log

	BrokerURL      string
	BrokerEmbedded bool
	ModelName      string
	ModelMode      string

	// Admin reads the audit log. It is nil when the app has no admin secret.
	Admin *agentwrit.Admin
	// Promises returns what the broker was seen to keep; nil means that nothing is
	// known.
	Promises func() agentwrit.Promises
	// PresenterKey is required of requests that change anything. It may be empty
	// only if the server listens on loopback only: then anyone on this machine
	// may change things, and no host name but this machine's is answered. Requests
	// that a proxy forwarded then can't change anything.
	PresenterKey string

	// CookieSecret is what the presenter's cookie is derived from, beside the key,
	// so that it is valid after a restart. Empty means random.
	CookieSecret string
	// TrustedProxies are the proxies whose X-Forwarded-For header names the client,
	// for the limits of wrong keys and viewers.
	TrustedProxies []netip.Prefix
	// Viewers is how many streams viewers may have open, and ViewersPerAddress how
	// many of them at one address. 0 means the default of [ViewerLimits].
	Viewers, ViewersPerAddress int

	// PublicURL is the base URL at which other machines reach the pages, for the
	// link that phones follow. If it is empty, the link is derived from the request.
	PublicURL string
	// Reachable reports that the server listens beyond loopback.
	Reachable bool

	// Preflight is what the preflight checks.
	Preflight preflight.Config

	// Values holds what the replicas of the app share. Nil means that there is only
	// this one.
	Values values.Store

	Clock  func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil discards
}

// Server serves the pages and the API. Safe for concurrent use.
type Server struct {
	router  *guard.Router
	streams *sse.Streams
	stage   *stage.Pages
	wait    func() // for the work of the pages
}

// New checks a configuration and returns a server.
func New(cfg Config) (*Server, error) {
	if cfg.Runs == nil || cfg.Log == nil || cfg.Records == nil || cfg.Broker == nil || cfg.Twins == nil || cfg.Lab == nil || cfg.AttackReport == nil || cfg.Decisions == nil || cfg.Preflight.Broker == nil || cfg.Preflight.Model == nil {
		return nil, errors.New("web: a required field of the Config is missing")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Promises == nil {
		cfg.Promises = func() agentwrit.Promises { return agentwrit.Promises{} }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Values == nil {
		cfg.Values = new(values.Memory)
	}
	s := &Server{streams: sse.New()}
	s.mount(cfg)
	return s, nil
}

// navigation lists the pages, in the order of the navigation bar.
var navigation = []ui.Link{
	{Path: "/", Name: "Encounter"},
	{Path: "/runs", Name: "Runs"},
	{Path: "/audit", Name: "Audit"},
	{Path: "/operator", Name: "Operator"},
	{Path: "/twin", Name: "Compare"},
	{Path: "/present", Name: "Present"},
	{Path: "/docs", Name: "API"},
}

// mount creates the shared parts and the pages, and registers their routes.
func (s *Server) mount(cfg Config) {
	files := static.New(hero.Assets, run.Assets, operator.Assets, audit.Assets, stage.Assets, comparison.Assets, attacks.Assets, reference.Assets)
	gate := guard.New(guard.Config{Key: cfg.PresenterKey, Secret: cfg.CookieSecret, Proxies: cfg.TrustedProxies,
		Viewers: cfg.Viewers, ViewersPerAddress: cfg.ViewersPerAddress, Clock: cfg.Clock})
	out := respond.New(respond.Config{
		Files: files, Navigation: navigation, Broker: cfg.BrokerURL, Embedded: cfg.BrokerEmbedded, Model: cfg.ModelName, ModelMode: cfg.ModelMode,
		Presenter: guard.IsPresenter, Clock: cfg.Clock, Logger: cfg.Logger,
	})
	copies := shared.New()
	metrics := newMetrics(cfg.Runs, s.streams)
	var auditLog auditlog.Source // nil without the admin secret, unlike a nil *agentwrit.Admin
	var evidence run.AuditLog    // the same
	if cfg.Admin != nil {
		auditLog, evidence = cfg.Admin, cfg.Admin
	}

	// The run's page and the stage need each other: a run that is started on one
	// is shown on the other.
	var onStage *stage.Pages
	encounter := run.New(run.Config{Runs: cfg.Runs, Log: cfg.Log, Patients: cfg.Records, Audit: evidence, Decisions: cfg.Decisions, Sheet: files.Sheet(),
		Show:  func(ctx context.Context, runID string) error { return onStage.Show(ctx, runID) },
		Clock: cfg.Clock, Respond: out, Streams: s.streams, Shared: copies})
	log := audit.New(audit.Config{Log: auditLog, Decisions: cfg.Decisions, Broker: cfg.BrokerURL, Values: cfg.Values, Clock: cfg.Clock, Logger: cfg.Logger, Respond: out, Streams: s.streams})
	desk := operator.New(operator.Config{Runs: cfg.Runs, Records: cfg.Records, Broker: cfg.Broker, Promises: cfg.Promises, CanRevoke: cfg.Admin != nil,
		Preflight: cfg.Preflight, Values: cfg.Values, Clock: cfg.Clock, Logger: cfg.Logger, Respond: out, Streams: s.streams})
	replays := attacks.New(attacks.Config{Lab: cfg.Lab, Report: cfg.AttackReport, Respond: out,
		Show: func(ctx context.Context, runID string) error { return onStage.Show(ctx, runID) }})
	compare := comparison.New(comparison.Config{Twins: cfg.Twins, Sheet: files.Sheet(), Respond: out,
		Show: func(ctx context.Context) error { return onStage.ShowPage(ctx, "/twin") }})
	var chain func(context.Context) stage.AuditCheck
	if auditLog != nil {
		chain = func(ctx context.Context) stage.AuditCheck {
			s := log.Chain(ctx)
			return stage.AuditCheck{Events: s.Verified, Broken: s.Broken != nil, Away: s.Unreachable != nil}
		}
	}
	onStage = stage.New(stage.Config{Runs: cfg.Runs, Log: cfg.Log, Broker: cfg.Broker, Audit: chain, Pages: []stage.Page{
		{Path: "/audit", Title: "Audit log", View: log.OnStage, Also: []stage.Variant{{Query: "change=" + audit.StageChange, Title: "Tamper"}}},
		{Path: "/operator", Title: "Operator", View: desk.OnStage},
		{Path: "/twin", Title: "Before and after", View: compare.OnStage},
	}, PublicURL: cfg.PublicURL, Reachable: cfg.Reachable, Clock: cfg.Clock, Logger: cfg.Logger, Values: cfg.Values, Respond: out, Streams: s.streams})
	programs := api.New(api.Config{Runs: cfg.Runs, Log: cfg.Log, Decided: cfg.Decisions, Patients: cfg.Records, Broker: cfg.Broker, Operator: desk,
		Audit: auditLog, Model: cfg.ModelName, Clock: cfg.Clock, Streams: s.streams, Shared: copies})

	r := gate.Router(out, metrics.observe)
	for _, page := range []interface{ Mount(*guard.Router) }{encounter, onStage, log, desk, programs, compare, replays, reference.New(out)} {
		page.Mount(r)
	}
	r.Get("/metrics", metrics.serve)
	r.Files("/static/*", files)
	s.router, s.stage = r, onStage
	s.wait = func() {
		encounter.Wait()
		onStage.Wait()
		log.Wait()
		desk.Wait()
		compare.Wait()
	}
}

// Handler serves everything except /records.
func (s *Server) Handler() http.Handler { return s.router }

// Routes returns the registered routes.
func (s *Server) Routes() []guard.Route { return s.router.Routes() }

// Show puts a run on the stage.
func (s *Server) Show(ctx context.Context, runID string) error { return s.stage.Show(ctx, runID) }

// Close returns when the work of the pages has ended and all streams have been
// told to end. The streams come last, so that they send what the pages render last.
func (s *Server) Close() {
	s.streams.Stop()
	s.wait()
	s.streams.Close()
}
