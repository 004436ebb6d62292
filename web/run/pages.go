package run

import (
	"context"
	"embed"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/guard"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/shared"
	"github.com/devonartis/medassist-go/web/internal/sse"
	"github.com/devonartis/medassist-go/web/static"
)

//go:embed *.css *.js
var files embed.FS

// Assets are the package's stylesheets and scripts.
var Assets = static.Assets{FS: files, Scripts: []string{"start.js", "demand.js", "drawer.js", "lookback.js", "rail.js"},
	Styles: []string{"run.css", "home.css", "verdict.css", "rail.css", "lookback.css", "step.css", "cards.css", "drawer.css", "answer.css", "history.css", "export.css"}}

// Runs starts and controls runs.
type Runs interface {
	Start(ctx context.Context, req agents.Request) (trace.Run, error)
	State(runID string) (agents.State, error)
	Watch(runID string) (*trace.Cursor[agents.State], error)
	Next(runID string) error
	SetPace(runID string, p agents.Pace) error
	Cancel(runID, by, reason string) error
	Stolen(runID string) (string, error)
}

// Patients lists the known patients.
type Patients interface {
	Patients(ctx context.Context) ([]records.Patient, error)
}

// AuditLog reads the broker's audit log and its record of the app.
type AuditLog interface {
	AuditPage(ctx context.Context, f agentwrit.AuditFilter) (*agentwrit.AuditPage, error)
	App(ctx context.Context, id string) (*agentwrit.AppRecord, error)
}

// Config is what the pages need. All fields but Audit are required.
type Config struct {
	Runs     Runs
	Log      trace.Log
	Patients Patients
	Audit    AuditLog // for exports and explanations; nil without the broker's admin secret
	// Decisions is MedAssist's own log, for exports.
	Decisions *decisions.Log
	// Show puts a run on the stage: a run that a presenter starts here is
	// the one that the audience follows.
	Show  func(ctx context.Context, runID string) error
	Sheet string // all stylesheets as one, for exports
	Clock func() time.Time

	Respond *respond.Responder
	Streams *sse.Streams
	Shared  *shared.Answers
}

// Pages serves the encounter. Safe for concurrent use.
type Pages struct {
	cfg  Config
	live *liveRuns
}

// New returns the pages.
func New(cfg Config) *Pages {
	return &Pages{cfg, newLiveRuns(cfg.Log, cfg.Runs, cfg.Streams)}
}

// Mount registers the routes.
func (p *Pages) Mount(r *guard.Router) {
	r.Get("/", r.TakeKey(p.encounter))
	r.Get("/runs", p.history)
	r.Post("/runs", p.start)
	r.Get("/runs/{id}", p.run)
	r.Stream("/runs/{id}/frames", p.frames)
	r.Get("/runs/{id}/parts/{part}", p.part)
	r.Get("/runs/{id}/steps/{seq}", p.stepDetail)
	r.Get("/runs/{id}/at/{seq}", p.lookBack)
	r.Get("/runs/{id}/tokens/{token}", p.token)
	r.Get("/runs/{id}/why/{seq}", p.why)
	r.Get("/runs/{id}/replay", p.replay)
	r.Stream("/runs/{id}/replay/frames", p.replayFrames)
	r.GetCostly("/runs/{id}/export.json", p.exportJSON)
	r.Get("/runs/{id}/export.html", p.exportHTML)
	r.Post("/runs/{id}/pace", p.pace)
	r.Post("/runs/{id}/next", p.next)
	r.Post("/runs/{id}/cancel", p.cancel)
	r.Post("/runs/{id}/stolen", p.stolen)
}

// Wait returns when all renderers have ended, after the streams were stopped.
func (p *Pages) Wait() { p.live.work.Wait() }

// encounter is GET /: an empty form, and what the scenarios demonstrate.
func (p *Pages) encounter(w http.ResponseWriter, r *http.Request) error {
	return p.show(w, r, http.StatusOK, Form{PatientID: "P-1042"})
}

// run is GET /runs/{id}: all that has happened so far, and then the stream.
func (p *Pages) run(w http.ResponseWriter, r *http.Request) error {
	info, err := p.cfg.Log.Run(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	view, err := p.view(r, info)
	if err != nil {
		return err
	}
	defer view.Release()
	form := Form{PatientID: info.PatientID, Request: info.Request, Pace: info.Pace, Scenario: info.Scenario}
	e, err := p.encounterView(r, form)
	if err != nil {
		return err
	}
	e.Content = respond.Hole
	return respond.Around(w, http.StatusOK, EncounterPage(e), view.Bytes())
}

// project reads a run's trace into its projection.
func (p *Pages) project(ctx context.Context, id string) (*Run, error) {
	info, err := p.cfg.Log.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	events, err := p.cfg.Log.Events(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	run := NewRun(info)
	for _, e := range events {
		run.Apply(e)
	}
	run.Info.Unsaved = info.Unsaved // it may have been stored since its end
	if state, err := p.cfg.Runs.State(id); err == nil && run.Live() {
		run.Pace, run.Waiting = state.Pace.String(), state.Waiting
	}
	return run, nil
}

func (p *Pages) show(w http.ResponseWriter, r *http.Request, status int, form Form) error {
	e, err := p.encounterView(r, form)
	if err != nil {
		return err
	}
	return respond.Render(w, status, EncounterPage(e))
}

// encounterView returns the page without a run.
func (p *Pages) encounterView(r *http.Request, form Form) (Encounter, error) {
	e := Encounter{Page: p.cfg.Respond.Page(r, "Encounter", "encounter", "/"), Scenarios: scenario.All(), Form: form}
	var err error
	e.Patients, err = p.patients(r.Context())
	return e, err
}

func (p *Pages) patients(ctx context.Context) (out []PatientOption, err error) {
	list, err := p.cfg.Patients.Patients(ctx)
	for _, patient := range list {
		out = append(out, PatientOption{ID: patient.ID.String(), Name: patient.Name})
	}
	return out, err
}
