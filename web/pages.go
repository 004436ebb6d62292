package web

import (
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
	e, err := s.encounterPage(r, view.Form{PatientID: "P-1042", Pace: "instant"}, nil)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, view.EncounterPage(e))
}

// runPage is GET /runs/{id}: all that has happened so far, and then the stream.
func (s *Server) runPage(w http.ResponseWriter, r *http.Request) {
	run, err := s.project(r, chi.URLParam(r, "id"))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	e, err := s.encounterPage(r, formOf(run.Info), run)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, view.EncounterPage(e))
}

func formOf(run trace.Run) view.Form {
	return view.Form{PatientID: run.PatientID, Request: run.Request, Pace: run.Pace, Scenario: run.Scenario}
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
	if state, err := s.cfg.Runs.State(id); err == nil {
		run.Waiting = state.Waiting
	}
	return run, nil
}

func (s *Server) encounterPage(r *http.Request, form view.Form, run *view.Run) (view.Encounter, error) {
	e := view.Encounter{Page: s.page(r, "Encounter", "/"), Scenarios: scenario.All(), Form: form, Run: run}
	list, err := s.cfg.Records.Patients(r.Context())
	for _, p := range list {
		e.Patients = append(e.Patients, view.PatientOption{ID: p.ID.String(), Name: p.Name})
	}
	return e, err
}

// startFromPage is POST /runs, the page's form. What was typed is kept when it
// can't be used.
func (s *Server) startFromPage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, http.StatusBadRequest, "The form can't be read, or is too large.")
		return
	}
	body := requestBody{r.PostFormValue("patient_id"), r.PostFormValue("request"), r.PostFormValue("pace"), r.PostFormValue("scenario")}
	form := view.Form{PatientID: body.PatientID, Request: body.Request, Pace: body.Pace, Scenario: body.Scenario}
	req, err := body.parse()
	var run trace.Run
	if err == nil {
		run, err = s.cfg.Runs.Start(r.Context(), req)
	}
	if err != nil {
		s.formAgain(w, r, form, err)
		return
	}
	s.metrics.started.Inc()
	if r.Header.Get("HX-Request") == "" {
		http.Redirect(w, r, "/runs/"+run.ID, http.StatusSeeOther)
		return
	}
	shown, err := s.project(r, run.ID)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	e, err := s.encounterPage(r, form, shown)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("HX-Push-Url", "/runs/"+run.ID)
	s.render(w, r, http.StatusOK, view.EncounterContent(e))
}

// formAgain shows the form with what is wrong with it.
func (s *Server) formAgain(w http.ResponseWriter, r *http.Request, form view.Form, err error) {
	form.Errors = map[string]string{}
	var input *agents.InputError
	status := http.StatusBadRequest
	switch {
	case errors.As(err, &input):
		form.Errors[input.Field] = input.Message
	case errors.Is(err, agents.ErrBusy):
		status, form.Errors[""] = http.StatusServiceUnavailable, "Too many runs are live. Wait for one to end."
	default:
		s.refuse(w, r, err)
		return
	}
	e, pageErr := s.encounterPage(r, form, nil)
	if pageErr != nil {
		s.refuse(w, r, pageErr)
		return
	}
	if r.Header.Get("HX-Request") != "" {
		s.render(w, r, status, view.EncounterContent(e))
		return
	}
	s.render(w, r, status, view.EncounterPage(e))
}

// history is GET /runs.
func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	runs, err := s.cfg.Log.Runs(r.Context(), time.Time{}, historyLength)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, view.HistoryPage(view.History{Page: s.page(r, "Runs", "/runs"), Runs: runs}))
}
