package run

import (
	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/web/ui"
)

// Encounter is the page on which runs are started and watched.
type Encounter struct {
	ui.Page
	Patients  []PatientOption
	Scenarios []scenario.Scenario
	Form      Form
	Content   templ.Component // the run; nil before the first
}

// PatientOption is one known patient.
type PatientOption struct{ ID, Name string }

// Form is what was typed, and what is wrong with it.
type Form struct {
	PatientID, Request, Pace string
	Scenario                 string            // the one that is shown, if any
	Errors                   map[string]string // by field; "" is the form as a whole
}

// fields are the parts of the form that can have an error; "" is the form as a
// whole.
var fields = []string{"patient_id", "request", "pace", ""}

// paces are the choices of the form, by the names that agents.ParsePace reads.
var paces = []struct{ Value, Name string }{
	{"instant", "Instant"},
	{"talk", "Talk"},
	{"step", "Step"},
}
