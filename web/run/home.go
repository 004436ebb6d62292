package run

import (
	"slices"
	"time"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/hero"
)

// A startCard is one of the large cards on the home page.
type startCard struct {
	scenario string
	title    string
	text     string
	picture  func() templ.Component
}

// starts lists the cards: it works, it gets blocked, it gets stolen.
var starts = []startCard{
	{"full", "It works", "Three agents, three tokens. Prescribing is delegated for one call.", worksPicture},
	{"cross-patient", "It gets blocked", "The model asks for another patient. The gate denies it.", blockedPicture},
	{"stolen-token", "It gets stolen", "An attacker copies a token. See what it opens, and for how long.", stolenPicture},
}

// key returns the key that starts the card's scenario.
func (c startCard) key() string {
	s, _ := scenario.ByID(c.scenario)
	return s.Key
}

func isStart(s scenario.Scenario) bool {
	return slices.ContainsFunc(starts, func(c startCard) bool { return c.scenario == s.ID })
}

// example returns the picture on the home page. It is labeled as an example: no
// run took place.
func example() *hero.Hero {
	const patient, other = "P-1042", "P-2187"
	clinical := trace.Credential{Category: "clinical"}
	scope := func(id string) []string { return []string{"read:labs:" + id} }
	h := hero.New(patient)
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for i, step := range []trace.Step{
		trace.AgentCreated{Credential: clinical, Scope: scope(patient), ExpiresIn: 300},
		trace.ToolCall{Credential: clinical, Tool: "get_lab_results", PatientID: patient, RequiredScope: scope(patient)},
		trace.ScopeDenied{Credential: clinical, Tool: "get_lab_results", PatientID: other, RequiredScope: scope(other), HeldScope: scope(patient),
			MissingScope: scope(other), RefusedBy: trace.RefusedByGate},
	} {
		h.Apply(trace.Event{Seq: int64(i + 1), Time: begin.Add(time.Duration(i) * time.Second), Step: step})
	}
	return h
}
