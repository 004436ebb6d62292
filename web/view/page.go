package view

import (
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
)

// Page is what every page shows around its content.
type Page struct {
	Title     string
	Current   string // path of the navigation's current entry
	Broker    string // address
	Embedded  bool
	Model     string
	ModelMode string // llm.Mode
	Presenter bool   // may change something
	Assets    func(name string) string
}

// Encounter is the page on which runs are started and followed.
type Encounter struct {
	Page
	Patients  []PatientOption
	Scenarios []scenario.Scenario
	Form      Form
	Run       *Run // nil before the first
}

// PatientOption is one known patient.
type PatientOption struct{ ID, Name string }

// Form is what was typed, and what is wrong with it.
type Form struct {
	PatientID, Request, Pace string
	Scenario                 string
	Errors                   map[string]string // by field
}

// History is the page of past runs.
type History struct {
	Page
	Runs []trace.Run
}

// Problem is a page that says what went wrong.
type Problem struct {
	Page
	Heading, Message string
}

// ends keeps both ends of a long identifier.
func ends(id string, n int) string {
	if len(id) <= n {
		return id
	}
	head := n * 3 / 5
	return id[:head] + "…" + id[len(id)-(n-head-1):]
}
