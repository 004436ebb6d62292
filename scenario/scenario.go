package scenario

import (
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// Scenario is one set piece.
type Scenario struct {
	ID      string // for URLs and the command line
	Key     string // the key that starts it on the page
	Title   string
	Short   string // the title, where twelve stand in a row
	Proves  string // one sentence
	Patient string
	Request string
	// Incident is what befalls the run's first credential; empty means
	// nothing.
	Incident trace.IncidentKind
	TokenTTL time.Duration // life of the run's tokens; 0 means as ever
	Expect   Expect
}

// Expect is what a run must show. Allowed and Denied list what must be there
// at the least; a model may ask for more, but for nothing in Never.
type Expect struct {
	Spawned   []string      // categories, in any order; no others
	Allowed   []string      // tools that must have answered
	Denied    []Denial      // refusals that must have happened
	Never     []string      // tools that must not have been let through
	Delegated int           // delegations, exactly
	Revoked   int           // revocations that took a token down, exactly
	Stolen    []Theft       // uses of a stolen token, in order, exactly
	Outcome   trace.Outcome // "" means trace.OutcomeAnswered
	// NoTokens says that no agent is spawned, so nothing is there to be dead.
	NoTokens bool
}

// Denial is a refusal: of which tool, by whom. For a delegation the tool is
// "delegate".
type Denial struct {
	Tool      string
	RefusedBy trace.RefusedBy // "" means any of the three
}

// Theft is one use of a stolen token: for whose data, and who refused it.
type Theft struct {
	PatientID string
	RefusedBy trace.RefusedBy // "" means that it was let through
}
