package operator

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/internal/values"
	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/web/internal/guard"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
	"github.com/devonartis/medassist-go/web/static"
)

//go:embed *.css
var files embed.FS

// Assets are the package's stylesheets.
var Assets = static.Assets{FS: files, Styles: []string{"operator.css"}}

// Bounds of what the operator does.
const (
	healthTimeout = 2 * time.Second
	resetTimeout  = 20 * time.Second // for live runs to release their tokens
)

// Runs lists and ends the live runs and their tokens.
type Runs interface {
	Live() []string
	Tokens() []agents.Token
	Affected(level agentwrit.RevokeLevel, target string) (named, delegated []agents.Token)
	Revoke(ctx context.Context, r agents.Revocation) (*agents.Revoked, error)
	CancelAll(ctx context.Context, by, reason string) (int, error)
}

// Records restores the patient records.
type Records interface {
	Reset(ctx context.Context) error
}

// Broker reports the broker's health.
type Broker interface {
	Health(ctx context.Context) (*agentwrit.Health, error)
}

// Config is what the pages need. All fields are required.
type Config struct {
	Runs      Runs
	Records   Records
	Broker    Broker
	Promises  func() agentwrit.Promises // of the broker, as far as it has answered
	CanRevoke bool                      // the app has the broker's admin secret
	Preflight preflight.Config
	Values    values.Store // that the replicas of the app share
	Clock     func() time.Time
	Logger    *slog.Logger

	Respond *respond.Responder
	Streams *sse.Streams
}

// Pages serves the operator's page. Safe for concurrent use.
type Pages struct {
	cfg    Config
	checks *checks
}

// New returns the pages.
func New(cfg Config) *Pages {
	return &Pages{cfg, newChecks(cfg)}
}

// Mount registers the routes.
func (p *Pages) Mount(r *guard.Router) {
	r.Get("/operator", p.page)
	r.Get("/operator/live", p.live)
	r.Get("/operator/revoke", p.previewRevocation)
	r.Post("/operator/revoke", p.revoke)
	r.Get("/operator/stop", p.previewStop)
	r.Post("/operator/stop", p.stop)
	r.Post("/operator/reset", p.reset)
	r.Post("/operator/preflight", p.startPreflight)
	r.Stream("/operator/preflight/frames", p.preflightFrames)
}

// Wait returns when the checks have ended, after the streams were stopped.
func (p *Pages) Wait() { p.checks.work.Wait() }

// page is GET /operator.
func (p *Pages) page(w http.ResponseWriter, r *http.Request) error {
	return p.show(w, r, nil, "")
}

// show shows the page, with a revocation or the result of what was just done.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, revocation *Revocation, result string) error {
	v := Page{Page: p.cfg.Respond.Page(r, "Operator", "operator", "/operator"), Ceiling: tools.Ceiling(), Result: result,
		Revocation: revocation, CanRevoke: p.cfg.CanRevoke, Promises: p.cfg.Promises(), Checked: p.checks.latest() != nil}
	v.Live = p.liveView(v.Presenter)
	v.Health = p.health(r.Context())
	return respond.Render(w, http.StatusOK, OperatorPage(v))
}

// live is GET /operator/live: the parts of the page that refresh themselves.
func (p *Pages) live(w http.ResponseWriter, r *http.Request) error {
	v := p.liveView(p.cfg.Respond.IsPresenter(r))
	var b bytes.Buffer
	respond.Write(&b, LiveAgents(v))
	respond.Partial(&b, "#stop-everything", "innerMorph", StopEverything(v))
	respond.Partial(&b, "#health", "innerMorph", Health(p.cfg.Respond.Page(r, "Operator", "operator", "/operator"), p.health(r.Context())))
	return respond.HTML(w, http.StatusOK, b.Bytes())
}

// health returns what the broker reports, or nil if it is unreachable.
func (p *Pages) health(ctx context.Context) *agentwrit.Health {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	health, err := p.cfg.Broker.Health(ctx)
	if err != nil {
		return nil
	}
	return health
}

func (p *Pages) liveView(presenter bool) Live {
	return Live{Runs: p.cfg.Runs.Live(), Tokens: viewTokens(p.cfg.Runs.Tokens()), Now: p.cfg.Clock(), MayRevoke: presenter}
}

func viewTokens(tokens []agents.Token) []Token {
	out := make([]Token, len(tokens))
	for i, t := range tokens {
		out[i] = Token{RunID: t.RunID, Category: t.Category, Delegated: t.Delegated, ID: t.ID, AgentID: t.AgentID,
			TaskID: t.TaskID, Scope: t.Scope, Expires: t.Expires}
		if len(t.Delegators) > 0 {
			out[i].FirstDelegator = t.Delegators[0]
		}
	}
	return out
}

// reset is POST /operator/reset.
func (p *Pages) reset(w http.ResponseWriter, r *http.Request) error {
	cancelled, err := p.Reset(r.Context())
	if err != nil {
		return err
	}
	return p.show(w, r, nil, fmt.Sprintf("Reset: %s cancelled and their tokens revoked, patient records restored. Past runs and the audit log are kept.", text.Count(cancelled, "live run")))
}

// Reset cancels all live runs, which revokes their tokens, and then restores the
// patient records, so that no run writes to them meanwhile. It returns how many
// runs it cancelled. It continues when ctx ends.
func (p *Pages) Reset(ctx context.Context) (cancelled int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resetTimeout)
	defer cancel()
	if cancelled, err = p.cfg.Runs.CancelAll(ctx, "operator", "The operator reset the demo."); err != nil {
		return cancelled, err
	}
	return cancelled, p.cfg.Records.Reset(ctx)
}
