package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/guard"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/shared"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// Runs starts and controls runs, and revokes their tokens.
type Runs interface {
	Start(ctx context.Context, req agents.Request) (trace.Run, error)
	Wait(ctx context.Context, runID string) error
	Next(runID string) error
	SetPace(runID string, p agents.Pace) error
	Cancel(runID, by, reason string) error
	Live() []string
	Revoke(ctx context.Context, r agents.Revocation) (*agents.Revoked, error)
}

// Patients lists the known patients, and reports whether their records can be
// written.
type Patients interface {
	Patients(ctx context.Context) ([]records.Patient, error)
	Check(ctx context.Context) error
}

// Broker reports the broker's health.
type Broker interface {
	Health(ctx context.Context) (*agentwrit.Health, error)
}

// AuditLog reads the broker's audit log.
type AuditLog interface {
	AuditPage(ctx context.Context, f agentwrit.AuditFilter) (*agentwrit.AuditPage, error)
}

// Operator is what the API shares with the operator's page.
type Operator interface {
	Reset(ctx context.Context) (cancelled int, err error)
	Preflight() *trace.Feed[preflight.Result]
}

// Config is what the API needs. All fields but Audit are required.
type Config struct {
	Runs     Runs
	Log      trace.Log
	Patients Patients
	Broker   Broker
	Operator Operator
	Audit    AuditLog                   // nil without the broker's admin secret
	Model    string                     // its name, for health
	Decided  interface{ Fault() error } // MedAssist's own log of decisions
	Clock    func() time.Time

	Streams *sse.Streams
	Shared  *shared.Answers
}

// API serves the JSON API. Safe for concurrent use.
type API struct{ cfg Config }

// New returns the API.
func New(cfg Config) *API { return &API{cfg} }

// Mount registers the routes.
func (a *API) Mount(r *guard.Router) {
	r.Post("/api/request", a.runToEnd)
	r.Post("/api/runs", a.startRun)
	r.Get("/api/runs/{id}", a.trace)
	r.Stream("/api/runs/{id}/events", a.events)
	r.Post("/api/runs/{id}/next", a.next)
	r.Post("/api/runs/{id}/cancel", a.cancel)
	r.Post("/api/runs/{id}/pace", a.pace)
	r.Get("/api/patients", a.patients)
	r.Get("/api/tools", a.tools)
	r.GetCostly("/api/audit/events", a.auditEvents)
	r.Post("/api/revoke", a.revoke)
	r.Post("/api/reset", a.reset)
	r.Post("/api/preflight", a.preflight)
	r.Get("/healthz", a.health)
}

// patient is an entry of the patient list, with the Python demo's dob.
type patient struct {
	records.Patient
	DOB string `json:"dob"`
}

func (a *API) patients(w http.ResponseWriter, r *http.Request) error {
	all, err := a.cfg.Patients.Patients(r.Context())
	if err != nil {
		return err
	}
	list := make([]patient, len(all))
	for i, p := range all {
		list[i] = patient{p, p.DateOfBirth}
	}
	return respond.JSON(w, http.StatusOK, map[string]any{"patients": list})
}

// tool is one tool of the catalogue. ScopeTemplate is the Python demo's name,
// and RequiredScopes the one of earlier versions.
type tool struct {
	Name           string   `json:"name"`
	Description    string   `json:"description"`
	Category       string   `json:"category"`
	ScopeTemplate  []string `json:"scope_template"`
	RequiredScopes []string `json:"required_scopes"`
	Parameters     any      `json:"parameters"`
}

func (a *API) tools(w http.ResponseWriter, _ *http.Request) error {
	all := make(map[string]tool)
	for _, t := range tools.All() {
		scopes := t.ScopeTemplates()
		all[t.Name] = tool{t.Name, t.Description, string(t.Category), scopes, scopes, t.Schema()}
	}
	return respond.JSON(w, http.StatusOK, map[string]any{"tools": all})
}

// reset is POST /api/reset.
func (a *API) reset(w http.ResponseWriter, r *http.Request) error {
	cancelled, err := a.cfg.Operator.Reset(r.Context())
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, map[string]int{"runs_cancelled": cancelled})
}

// preflight is POST /api/preflight: one JSON object per line for each check, as
// soon as it completes.
func (a *API) preflight(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := a.cfg.Streams.Until(r.Context())
	defer cancel()
	w.Header().Set("Content-Type", "application/x-ndjson")
	control, lines := http.NewResponseController(w), json.NewEncoder(w)
	for cursor := a.cfg.Operator.Preflight().From(0); ; {
		results, err := cursor.Next(ctx)
		if err != nil {
			return nil // all checks are done, or the client is gone
		}
		for _, c := range results {
			if lines.Encode(c) != nil {
				return nil
			}
		}
		if control.Flush() != nil {
			return nil
		}
	}
}
