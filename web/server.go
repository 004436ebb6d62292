package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/static"
	"github.com/devonartis/medassist-go/web/trail"
	"github.com/devonartis/medassist-go/web/view"
)

// Broker answers for the broker's health.
type Broker interface {
	Health(ctx context.Context) (*agentwrit.Health, error)
}

// Config is what a server is made of. All but Admin, PresenterKey, Clock and
// Logger are required.
type Config struct {
	Runs    *agents.Service
	Log     trace.Log
	Records *records.Store
	Broker  Broker

	BrokerURL      string
	BrokerEmbedded bool
	ModelName      string
	ModelMode      string

	// Admin reads the audit trail; nil when the app has no admin secret.
	Admin *agentwrit.Admin
	// PresenterKey is needed for whatever changes anything. Empty means that
	// only this machine can reach the page, and anybody on it may.
	PresenterKey string

	// Preflight is what the preflight looks at.
	Preflight preflight.Config

	Clock  func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil discards
}

// Server serves the page and the API. Safe for concurrent use.
type Server struct {
	cfg     Config
	handler http.Handler
	metrics *metrics
	trail   *trail.Trail // nil without the admin secret
	stage   *stage

	stop   context.CancelFunc // ends streams and renderers
	ending context.Context
	work   sync.WaitGroup // renderers

	mu        sync.Mutex
	live      map[string]*live
	old       []string                      // runs in live that are over, oldest first
	checks    *trace.Feed[preflight.Result] // of the last preflight
	examining bool                          // it goes on
}

// New checks a configuration and makes a server of it.
func New(cfg Config) (*Server, error) {
	if cfg.Runs == nil || cfg.Log == nil || cfg.Records == nil || cfg.Broker == nil || cfg.Preflight.Broker == nil || cfg.Preflight.Model == nil {
		return nil, errors.New("web: runs, a log, records, a broker and a preflight are required")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, live: make(map[string]*live)}
	s.ending, s.stop = context.WithCancel(context.Background())
	s.stage = newStage(cfg.Clock)
	if cfg.Admin != nil {
		s.trail = trail.New(cfg.Admin, cfg.Clock)
	}
	s.metrics = newMetrics(s)
	s.handler = s.routes()
	return s, nil
}

// Handler serves everything but /records.
func (s *Server) Handler() http.Handler { return s.handler }

// Close ends all streams, and returns when their renderers have.
func (s *Server) Close() {
	s.stop()
	s.work.Wait()
	if s.trail != nil {
		s.trail.Close()
	}
}

func (s *Server) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(s.metrics.observe, s.recover, secure, s.sameHost, s.guard)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, http.StatusNotFound, "There is no such page.")
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, http.StatusMethodNotAllowed, "This page takes another method.")
	})

	r.Get("/", s.encounter)
	r.Get("/key", s.keyPage)
	r.Post("/key", s.takeKey)
	r.Get("/runs", s.history)
	r.Post("/runs", s.startFromPage)
	r.Get("/runs/{id}", s.runPage)
	r.Get("/runs/{id}/frames", s.frames)
	r.Get("/runs/{id}/export.json", s.exportJSON)
	r.Get("/runs/{id}/export.html", s.exportHTML)
	r.Get("/runs/{id}/at/{seq}", s.lookBack)
	r.Get("/runs/{id}/replay", s.replay)
	r.Get("/runs/{id}/replay/frames", s.replayFrames)
	r.Post("/runs/{id}/pace", s.paceFromPage)
	r.Post("/runs/{id}/next", s.next)
	r.Post("/runs/{id}/cancel", s.cancel)
	r.Post("/runs/{id}/stolen", s.stolen)

	r.Get("/present", s.present)
	r.Get("/present/link", s.link)
	r.Post("/present/act", s.choose)
	r.Post("/present/run", s.perform)
	r.Post("/present/timer", s.timer)
	r.Get("/stage", s.follower("Stage", "encounter page-stage"))
	r.Get("/follow", s.follower("Follow", "follow"))
	r.Get("/stage/frames", s.stageFrames)
	r.Get("/audit", s.audit)
	r.Get("/audit/frames", s.auditFrames)
	r.Get("/audit/lab", s.auditLab)
	r.Get("/audit/export", s.auditExport)
	r.Get("/audit/checkpoint", s.auditCheckpoint)
	r.Post("/audit/anew", s.auditAnew)
	r.Get("/operator", s.operator)
	r.Get("/operator/live", s.liveAgents)
	r.Get("/operator/revoke", s.previewRevocation)
	r.Post("/operator/revoke", s.confirmRevocation)
	r.Post("/operator/reset", s.resetFromPage)
	r.Post("/operator/preflight", s.preflightFromPage)
	r.Get("/operator/preflight/frames", s.preflightFrames)

	r.Post("/api/request", s.runToEnd)
	r.Post("/api/runs", s.startRun)
	r.Get("/api/runs/{id}", s.wholeTrace)
	r.Get("/api/runs/{id}/events", s.events)
	r.Post("/api/runs/{id}/next", s.next)
	r.Post("/api/runs/{id}/cancel", s.cancel)
	r.Post("/api/runs/{id}/pace", s.pace)
	r.Get("/api/patients", s.patients)
	r.Get("/api/tools", s.tools)
	r.Get("/api/audit/events", s.auditEvents)
	r.Post("/api/revoke", s.revoke)
	r.Post("/api/reset", s.resetAll)
	r.Post("/api/preflight", s.preflightLines)

	r.Get("/healthz", s.health)
	r.Method(http.MethodGet, "/metrics", s.metrics.handler())
	r.Handle("/static/*", static.Handler())
	return r
}

// page is what every page needs to know. Name is the stylesheet's.
func (s *Server) page(r *http.Request, title, name, current string) view.Page {
	return view.Page{Title: title, Name: name, Current: current, Broker: s.cfg.BrokerURL, Embedded: s.cfg.BrokerEmbedded,
		Model: s.cfg.ModelName, ModelMode: s.cfg.ModelMode, Presenter: s.mayChange(r), Now: s.cfg.Clock()}
}
