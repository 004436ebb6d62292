package stage

import (
	"context"
	"embed"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/internal/values"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/guard"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
	"github.com/devonartis/medassist-go/web/static"
)

//go:embed *.css *.js
var files embed.FS

// Assets are the package's stylesheets and scripts.
var Assets = static.Assets{FS: files, Styles: []string{"stage.css", "follow.css", "present.css"}, Scripts: []string{"look.js", "present.js"}}

// Runs starts and controls runs.
type Runs interface {
	Start(ctx context.Context, req agents.Request) (trace.Run, error)
	Watch(runID string) (*trace.Cursor[agents.State], error)
	Next(runID string) error
	Cancel(runID, by, reason string) error
}

// Broker reports the broker's health.
type Broker interface {
	Health(ctx context.Context) (*agentwrit.Health, error)
}

// A Page is a page of the app that the presenter can put on the stage. The
// view is read-only, and is rendered again while it is there.
type Page struct {
	Path  string // "/audit"
	Title string
	View  func(ctx context.Context, query url.Values) (templ.Component, error)
	Also  []Variant // what the presenter can show of it instead
}

// A Variant is a page on the stage with another query.
type Variant struct{ Query, Title string }

// Config is what the pages need. All fields are required except Audit, Pages and
// PublicURL.
type Config struct {
	Runs   Runs
	Log    trace.Log
	Broker Broker
	Audit  func(context.Context) AuditCheck // nil if the broker's log can't be read
	Pages  []Page
	// PublicURL is the base URL at which other machines reach the pages. If it is
	// empty, the link for phones is derived from the request.
	PublicURL string
	// Reachable reports that the server listens beyond loopback, so that phones can
	// reach it directly.
	Reachable bool
	Clock     func() time.Time
	Logger    *slog.Logger
	// Values holds what is on the stage, for all replicas of the app.
	Values values.Store

	Respond *respond.Responder
	Streams *sse.Streams
}

// Pages serves the talk. Safe for concurrent use.
type Pages struct {
	cfg       Config
	show      *show
	followers *followers
	stepping  atomic.Int32 // calls of nextStep in progress
}

// New returns the pages.
func New(cfg Config) *Pages {
	p := &Pages{cfg: cfg, show: newShow(cfg), followers: newFollowers(cfg)}
	p.show.work.Go(func() { p.followers.phones.Keep(cfg.Streams.Stopping()) })
	p.show.work.Go(func() { p.followers.tell(cfg.Streams.Stopping()) })
	return p
}

// Mount registers the routes.
func (p *Pages) Mount(r *guard.Router) {
	r.Get("/stage", r.TakeKey(p.watch("Stage", wall)))
	r.Get("/follow", p.watch("Follow", phone))
	r.Stream("/stage/frames", p.frames)
	r.Get("/present", r.TakeKey(p.present))
	r.GetByPresenter("/present/desk", p.desk)
	r.Get("/present/link", p.link)
	r.Post("/present/act", p.choose)
	r.Post("/present/next", p.next)
	r.Post("/present/back", p.back)
	r.Post("/present/step", p.step)
	r.Post("/present/run", p.perform)
	r.Post("/present/show", p.open)
	r.Post("/present/look", p.look)
	r.Post("/present/timer", p.timer)
}

// ShowPage puts one of the pages on the stage, for all who follow.
func (p *Pages) ShowPage(ctx context.Context, path string) error {
	return p.show.showPage(ctx, page{Path: path})
}

// Show puts a run on the stage that was started outside of the talk.
func (p *Pages) Show(ctx context.Context, runID string) error {
	if _, err := p.cfg.Log.Run(ctx, runID); err != nil {
		return err
	}
	_, err := p.show.set(ctx, func(s *state) { s.show(title{}, runID) })
	return err
}

// Wait returns when nothing on the stage is followed any more, after the streams
// were stopped.
func (p *Pages) Wait() { p.show.wait() }
