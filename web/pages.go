package web

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/view"
)

const historyLength = 100 // runs on one page

// encounter is GET /: a form, and an invitation to use it.
func (s *Server) encounter(w http.ResponseWriter, r *http.Request) {
	if s.keyFromQuery(w, r) {
		return
	}
	s.showEncounter(w, r, http.StatusOK, view.Form{PatientID: "P-1042"}, nil)
}

// runPage is GET /runs/{id}: all that has happened so far, and then the stream.
func (s *Server) runPage(w http.ResponseWriter, r *http.Request) {
	run, err := s.project(r, chi.URLParam(r, "id"))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	info := run.Info
	s.showEncounter(w, r, http.StatusOK,
		view.Form{PatientID: info.PatientID, Request: info.Request, Pace: info.Pace, Scenario: info.Scenario}, run)
}

// project reads a run's trace into what a page shows.
func (s *Server) project(r *http.Request, id string) (*view.Run, error) {
	info, err := s.cfg.Log.Run(r.Context(), id)
	if err != nil {
		return nil, err
	}
	events, err := s.cfg.Log.Events(r.Context(), id, 0)
	if err != nil {
		return nil, err
	}
	run := view.NewRun(info)
	for _, e := range events {
		run.Apply(e)
	}
	if state, err := s.cfg.Runs.State(id); err == nil && run.Live() {
		run.Pace, run.Waiting = state.Pace.String(), state.Waiting
	}
	return run, nil
}

func (s *Server) showEncounter(w http.ResponseWriter, r *http.Request, status int, form view.Form, run *view.Run) {
	e, err := s.encounterView(r, form, run)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	render(w, status, view.EncounterPage(e))
}

func (s *Server) encounterView(r *http.Request, form view.Form, run *view.Run) (view.Encounter, error) {
	e := view.Encounter{Page: s.page(r, "Encounter", "encounter", "/"), Scenarios: scenario.All(), Form: form, Run: run}
	list, err := s.cfg.Records.Patients(r.Context())
	for _, p := range list {
		e.Patients = append(e.Patients, view.PatientOption{ID: p.ID.String(), Name: p.Name})
	}
	return e, err
}

// startFromPage is POST /runs, the page's form: what was typed or, if a
// scenario's button was pressed, that scenario.
func (s *Server) startFromPage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, http.StatusBadRequest, "The form can't be read, or is too large.")
		return
	}
	body := requestBody{PatientID: r.PostFormValue("patient_id"), Request: r.PostFormValue("request"),
		Pace: r.PostFormValue("pace"), Scenario: r.PostFormValue("scenario"), hold: true}
	if sc, ok := scenario.ByID(body.Scenario); ok {
		body.PatientID, body.Request = sc.Patient, sc.Request
	}
	form := view.Form{PatientID: body.PatientID, Request: body.Request, Pace: body.Pace, Scenario: body.Scenario}
	run, err := s.start(r.Context(), body)
	if err == nil {
		// What a presenter starts here is what the room follows.
		err = s.putOnStage(r, run.ID)
	}
	switch {
	case err != nil:
		s.formAgain(w, r, form, err)
	case fromPage(r):
		s.swapIn(w, r, form, run)
	default:
		http.Redirect(w, r, "/runs/"+run.ID, http.StatusSeeOther)
	}
}

// swapIn puts a run that has just started in the place of what the page shows,
// and makes its address the page's.
func (s *Server) swapIn(w http.ResponseWriter, r *http.Request, form view.Form, run trace.Run) {
	shown, err := s.project(r, run.ID)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	e, err := s.encounterView(r, form, shown)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	var b bytes.Buffer
	write(&b, view.RunView(e))
	partial(&b, "#request-form", "outerMorph", view.RequestForm(e))
	partial(&b, "#scenarios", "outerMorph", view.ScenarioButtons(e))
	partial(&b, "#notice", "innerHTML", words(""))
	w.Header().Set("HX-Push-Url", "/runs/"+run.ID)
	html(w, http.StatusOK, b.Bytes())
}

// formAgain shows the form with what is wrong with it, and what was typed.
func (s *Server) formAgain(w http.ResponseWriter, r *http.Request, form view.Form, err error) {
	form.Errors = map[string]string{}
	var wrong *agents.InputError
	var input *inputError
	status := http.StatusBadRequest
	switch {
	case errors.As(err, &wrong):
		form.Errors[wrong.Field] = wrong.Message
	case errors.As(err, &input):
		form.Errors[""] = input.detail
	case errors.Is(err, agents.ErrBusy):
		status, form.Errors[""] = http.StatusServiceUnavailable, "Too many runs are live. Wait for one to end."
	default:
		s.refuse(w, r, err)
		return
	}
	if !fromPage(r) {
		s.showEncounter(w, r, status, form, nil)
		return
	}
	e, err := s.encounterView(r, form, nil)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	var b bytes.Buffer
	partial(&b, "#request-form", "outerMorph", view.RequestForm(e))
	html(w, status, b.Bytes())
}

// history is GET /runs: the newest, or with ?before= those before a moment.
func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	var before time.Time
	if text := r.URL.Query().Get("before"); text != "" {
		var err error
		if before, err = time.Parse(time.RFC3339Nano, text); err != nil {
			s.refuse(w, r, &inputError{http.StatusBadRequest, "before", "before must be a time such as 2026-11-23T17:00:00Z"})
			return
		}
	}
	runs, err := s.cfg.Log.Runs(r.Context(), before, historyLength+1)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	h := view.History{Page: s.page(r, "Runs", "runs", "/runs"), Newest: before.IsZero(), HasMore: len(runs) > historyLength}
	h.Runs = runs[:min(historyLength, len(runs))]
	render(w, http.StatusOK, view.HistoryPage(h))
}
