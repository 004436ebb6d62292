package run

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/newrun"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// start is POST /runs, the page's form: what was typed or, if a scenario's
// button was pressed, that scenario.
func (p *Pages) start(w http.ResponseWriter, r *http.Request) error {
	sent, err := respond.DecodeForm[newrun.Form](w, r)
	if err != nil {
		return err
	}
	body := sent.Body
	if sc, ok := scenario.ByID(body.Scenario); ok {
		body = newrun.Play(sc, body.Pace)
	}
	form := Form{PatientID: body.PatientID, Request: body.Request, Pace: body.Pace, Scenario: body.Scenario}
	req, err := body.Parse(true)
	if body.Scenario == "" {
		patients, err := p.patients(r.Context())
		if err != nil {
			return err
		}
		if form.Suggested = suggest(patients, body.PatientID); form.Suggested != nil {
			return p.showErrors(w, r, form, respond.BadInput("patient_id", fmt.Sprintf("No patient %s. %s is %s.", body.PatientID, form.Suggested.Name, form.Suggested.ID)))
		}
	}
	if err != nil {
		return p.showErrors(w, r, form, err)
	}
	if sent.Key != "" {
		req.Key = sent.Key + " " + body.Scenario // another button of the form starts another run
	}
	run, err := p.cfg.Runs.Start(r.Context(), req)
	if err != nil {
		return p.showErrors(w, r, form, err)
	}
	if err := p.cfg.Show(r.Context(), run.ID); err != nil {
		return err
	}
	if respond.FromPage(r) {
		return p.swapIn(w, r, form, run)
	}
	http.Redirect(w, r, "/runs/"+run.ID, http.StatusSeeOther)
	return nil
}

// swapIn replaces the run that the page shows by one that has just started, and
// the page's address by the run's.
func (p *Pages) swapIn(w http.ResponseWriter, r *http.Request, form Form, run trace.Run) error {
	shown, err := p.project(r.Context(), run.ID)
	if err != nil {
		return err
	}
	e, err := p.encounterView(r, form)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	respond.Write(&b, RunView(shown))
	respond.Partial(&b, "#request-form", "outerMorph", RequestForm(e))
	respond.Partial(&b, "#scenarios", "outerMorph", ScenarioButtons(e))
	respond.Partial(&b, "#notice", "innerHTML", respond.Text(""))
	w.Header().Set("HX-Push-Url", "/runs/"+run.ID)
	return respond.HTML(w, http.StatusOK, b.Bytes())
}

// showErrors shows the form again with what was typed and what is wrong with
// it. An error that the form can't help with is returned.
func (p *Pages) showErrors(w http.ResponseWriter, r *http.Request, form Form, err error) error {
	wrong := respond.As(err)
	if wrong == nil || wrong.Status != http.StatusBadRequest && !errors.Is(err, agents.ErrBusy) {
		return err
	}
	field := wrong.Field
	if !slices.Contains(fields, field) {
		field = ""
	}
	form.Errors = map[string]string{field: wrong.Detail}
	if !respond.FromPage(r) {
		return p.show(w, r, wrong.Status, form)
	}
	e, err := p.encounterView(r, form)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	respond.Partial(&b, "#request-form", "outerMorph", RequestForm(e))
	return respond.HTML(w, wrong.Status, b.Bytes())
}
