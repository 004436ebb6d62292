package web

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// requestBody is what starts a run.
type requestBody struct {
	PatientID string `json:"patient_id"`
	Request   string `json:"request"`
	Pace      string `json:"pace,omitempty"`
	Scenario  string `json:"scenario,omitempty"`

	hold bool // a theft waits for whoever looks at the page
}

func (b requestBody) parse() (agents.Request, error) {
	req, err := agents.ParseRequest(b.PatientID, b.Request, b.Pace)
	if err != nil {
		return req, err
	}
	if b.Scenario != "" {
		sc, ok := scenario.ByID(b.Scenario)
		if !ok {
			return req, &inputError{http.StatusBadRequest, "scenario", "there is no scenario of that name"}
		}
		req.Scenario, req.Incident, req.TokenTTL, req.Hold = sc.ID, sc.Incident, sc.TokenTTL, b.hold
	}
	return req, nil
}

// start opens a run.
func (s *Server) start(ctx context.Context, body requestBody) (trace.Run, error) {
	req, err := body.parse()
	if err != nil {
		return trace.Run{}, err
	}
	run, err := s.cfg.Runs.Start(ctx, req)
	if err == nil {
		s.metrics.started.Inc()
	}
	return run, err
}

// startRun is POST /api/runs.
func (s *Server) startRun(w http.ResponseWriter, r *http.Request) {
	body, err := decode[requestBody](w, r)
	var run trace.Run
	if err == nil {
		run, err = s.start(r.Context(), body)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Location", "/api/runs/"+run.ID)
	reply(w, http.StatusAccepted, map[string]string{"run_id": run.ID, "events_url": "/api/runs/" + run.ID + "/events"})
}

// traceAnswer is a whole trace, as the Python demo's clients read it.
type traceAnswer struct {
	RunID string        `json:"run_id"`
	Trace []trace.Event `json:"trace"`
}

// runToEnd is POST /api/request. The run goes on if the caller leaves.
func (s *Server) runToEnd(w http.ResponseWriter, r *http.Request) {
	body, err := decode[requestBody](w, r)
	var run trace.Run
	if err == nil {
		run, err = s.start(r.Context(), body)
	}
	if err == nil {
		err = s.cfg.Runs.Wait(r.Context(), run.ID)
	}
	var events []trace.Event
	if err == nil {
		events, err = s.cfg.Log.Events(r.Context(), run.ID, 0)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, traceAnswer{run.ID, events})
}

// wholeTrace is GET /api/runs/{id}.
func (s *Server) wholeTrace(w http.ResponseWriter, r *http.Request) {
	export, err := trace.ReadExport(r.Context(), s.cfg.Log, chi.URLParam(r, "id"))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, export)
}

// next lets a stepping run go on.
func (s *Server) next(w http.ResponseWriter, r *http.Request) {
	s.control(w, r, s.cfg.Runs.Next(chi.URLParam(r, "id")))
}

func (s *Server) cancel(w http.ResponseWriter, r *http.Request) {
	s.control(w, r, s.cfg.Runs.Cancel(chi.URLParam(r, "id"), "presenter", "The presenter stopped the run."))
}

func (s *Server) pace(w http.ResponseWriter, r *http.Request) {
	body, err := decode[struct {
		Pace string `json:"pace"`
	}](w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	p, err := agents.ParsePace(body.Pace)
	if err != nil {
		s.refuse(w, r, &inputError{http.StatusBadRequest, "pace", err.Error()})
		return
	}
	s.control(w, r, s.cfg.Runs.SetPace(chi.URLParam(r, "id"), p))
}

// control answers what was done to a run. A form that no script sent is led
// back to the run's page.
func (s *Server) control(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case err != nil:
		s.refuse(w, r, err)
	case !fromPage(r) && strings.Contains(r.Header.Get("Accept"), "text/html"):
		http.Redirect(w, r, "/runs/"+chi.URLParam(r, "id"), http.StatusSeeOther)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) patients(w http.ResponseWriter, r *http.Request) {
	list, err := s.cfg.Records.Patients(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, map[string]any{"patients": list})
}

// toolAnswer is one tool of the catalogue.
type toolAnswer struct {
	Name           string   `json:"name"`
	Description    string   `json:"description"`
	Category       string   `json:"category"`
	RequiredScopes []string `json:"required_scopes"`
	Parameters     any      `json:"parameters"`
}

func (s *Server) tools(w http.ResponseWriter, _ *http.Request) {
	var list []toolAnswer
	for _, t := range tools.All() {
		list = append(list, toolAnswer{t.Name, t.Description, string(t.Category), t.ScopeTemplates(), t.Schema()})
	}
	reply(w, http.StatusOK, map[string]any{"tools": list})
}

// auditEvents is GET /api/audit/events: the broker's trail, by its filters.
func (s *Server) auditEvents(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Admin == nil {
		s.fail(w, r, http.StatusForbidden, "The audit trail needs the broker's admin secret: set AGENTWRIT_ADMIN_SECRET.")
		return
	}
	q := r.URL.Query()
	f := agentwrit.AuditFilter{AgentID: q.Get("agent_id"), TaskID: q.Get("task_id"),
		EventType: agentwrit.EventType(q.Get("event_type")), Outcome: agentwrit.Outcome(q.Get("outcome"))}
	var err error
	for key, to := range map[string]*int{"limit": &f.Limit, "offset": &f.Offset} {
		if v := q.Get(key); v != "" && err == nil {
			if *to, err = strconv.Atoi(v); err != nil || *to < 0 {
				err = &inputError{http.StatusBadRequest, key, key + " must be a number, 0 or more"}
			}
		}
	}
	for key, to := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if v := q.Get(key); v != "" && err == nil {
			if *to, err = time.Parse(time.RFC3339, v); err != nil {
				err = &inputError{http.StatusBadRequest, key, key + " must be a time such as 2026-11-23T17:00:00Z"}
			}
		}
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	page, err := s.cfg.Admin.AuditPage(r.Context(), f)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, page)
}

// revoke is POST /api/revoke.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	body, err := decode[struct {
		Level  string `json:"level"`
		Target string `json:"target"`
	}](w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	done, err := s.cfg.Runs.Revoke(r.Context(), agentwrit.RevokeLevel(body.Level), body.Target)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, done)
}

// health is GET /healthz: ready when the broker and the log answer.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	h, err := s.cfg.Broker.Health(r.Context())
	_, logErr := s.cfg.Log.Runs(r.Context(), time.Time{}, 1)
	status, broker := http.StatusOK, "unreachable"
	if err == nil {
		broker = h.Status
	}
	if err != nil || logErr != nil || broker != "ok" {
		status = http.StatusServiceUnavailable
	}
	reply(w, status, map[string]any{"status": map[bool]string{true: "ok", false: "not ready"}[status == http.StatusOK],
		"broker": broker, "live_runs": len(s.cfg.Runs.Live()), "model": cmp.Or(s.cfg.ModelName, "none")})
}
