// Package newrun reads what a person or a program sends to start a run: the
// page's form, the JSON API and the presenter's acts all use it, so that they
// accept and refuse the same.
package newrun

import (
	"strings"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// Body describes a run to be started.
type Body struct {
	PatientID string `json:"patient_id"`
	Request   string `json:"request"`
	Pace      string `json:"pace,omitempty"`
	Scenario  string `json:"scenario,omitempty"`
}

// Form is the page's form. Its key is new with each page, so that a form that is
// sent twice starts one run.
type Form struct {
	Body
	Key string `json:"idempotency_key,omitempty"`
}

// Parse checks the body. Hold means that an incident of the scenario waits for
// the presenter: it is for runs that are started from a page.
func (b Body) Parse(hold bool) (agents.Request, error) {
	req, err := agents.ParseRequest(strings.TrimSpace(b.PatientID), b.Request, b.Pace)
	if err != nil {
		return req, err
	}
	if b.Scenario != "" {
		sc, ok := scenario.ByID(b.Scenario)
		if !ok {
			return req, respond.BadInput("scenario", "No scenario of that name.")
		}
		req.Scenario, req.Incident, req.TokenTTL, req.Hold = sc.ID, sc.Incident, sc.TokenTTL, hold
	}
	return req, nil
}

// Play returns the body that plays a scenario.
func Play(sc scenario.Scenario, pace string) Body {
	return Body{PatientID: sc.Patient, Request: sc.Request, Pace: pace, Scenario: sc.ID}
}
