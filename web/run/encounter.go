package run

import (
	"strings"

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
	Suggested                *PatientOption    // who may be meant by an ID that nobody has
}

// suggest returns the patient whose ID differs from what was typed in case alone, or
// whose name was typed. It returns nil if the typed ID is a patient's, or if more
// than one patient could be meant.
func suggest(patients []PatientOption, typed string) (found *PatientOption) {
	typed = strings.Join(strings.Fields(typed), " ")
	for _, p := range patients {
		switch {
		case p.ID == typed:
			return nil
		case !strings.EqualFold(p.ID, typed) && !strings.EqualFold(p.Name, typed):
		case found != nil:
			return nil
		default:
			found = &p
		}
	}
	return found
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
