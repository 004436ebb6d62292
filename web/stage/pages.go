package stage

import (
	"context"
	"embed"
	"net/http"
	"time"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/internal/latest"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/guard"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
	"github.com/devonartis/medassist-go/web/static"
)

//go:embed *.css *.js
var files embed.FS

// Assets are the package's stylesheets and scripts.
var Assets = static.Assets{FS: files, Styles: []string{"stage.css"}, Scripts: []string{"timer.js"}}

// Runs starts and cancels runs.
type Runs interface {
	Start(ctx context.Context, req agents.Request) (trace.Run, error)
	Cancel(runID, by, reason string) error
}

// View returns a run as it stands. The run's page provides it.
type View func(ctx context.Context, runID string) (templ.Component, error)

// Config is what the pages need. All fields are required except PublicURL.
type Config struct {
	Runs Runs
	View View
	// PublicURL is the base URL at which other machines reach the pages. If it is
	// empty, the link for phones is derived from the request.
	PublicURL string
	// Reachable reports that the server listens beyond loopback, so that phones can
	// reach it directly.
	Reachable bool
	Clock     func() time.Time

	Respond *respond.Responder
	Streams *sse.Streams
}

// Pages serves the talk. Safe for concurrent use.
type Pages struct {
	cfg      Config
	progress *progress
	onStage  latest.Value[scene]
}

// scene is the run on the stage, rendered once for all who follow.
type scene struct {
	run  string // empty before the first
	html []byte
}

// New returns the pages.
func New(cfg Config) *Pages {
	return &Pages{cfg: cfg, progress: newProgress(cfg.Clock)}
}

// Mount registers the routes.
func (p *Pages) Mount(r *guard.Router) {
	r.Get("/present", r.TakeKey(p.present))
	r.Get("/present/link", p.link)
	r.Post("/present/act", p.choose)
	r.Post("/present/run", p.perform)
	r.Post("/present/timer", p.timer)
	r.Get("/stage", p.follower("Stage", "encounter page-stage"))
	r.Get("/follow", p.follower("Follow", "follow"))
	r.Stream("/stage/frames", p.frames)
}

// currentRun returns the run on the stage, and nil before the first.
func (p *Pages) currentRun(ctx context.Context) (id string, view templ.Component, err error) {
	scene, _ := p.onStage.Get()
	if scene.run == "" {
		return "", nil, nil
	}
	view, err = p.cfg.View(ctx, scene.run)
	return scene.run, view, err
}

// follower returns a page that shows what is on the stage: GET /stage for the
// projector, and GET /follow for phones.
func (p *Pages) follower(title, name string) respond.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		v := Follow{Page: p.cfg.Respond.Page(r, title, name, "")}
		var err error
		if v.RunID, v.Run, err = p.currentRun(r.Context()); err != nil {
			return err
		}
		return respond.Render(w, http.StatusOK, FollowPage(v))
	}
}
