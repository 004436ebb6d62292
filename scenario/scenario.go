package scenario

import (
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// A Scenario is a prepared run with a known result.
type Scenario struct {
	ID       string // for URLs and the command line
	Key      string // the key that starts it on the page
	Title    string
	Short    string // the title where all scenarios are in one row
	Proves   string // one sentence
	Patient  string
	Request  string
	Incident trace.IncidentKind // what happens to the run's first credential; empty means nothing
	TokenTTL time.Duration      // lifetime of the run's tokens; 0 means the default
	Expect   Expect
}

// Expect describes what a run must show. Allowed and Denied are minimums: a model
// may call further tools, except those in Never.
type Expect struct {
	Spawned   []string      // categories of the agents, in any order; no others
	Allowed   []string      // tools that must have responded
	Denied    []Denial      // denials that must have happened
	Never     []string      // tools whose calls must not have been allowed
	Delegated int           // number of delegations
	Revoked   int           // number of revocations that affected a token
	Stolen    []Theft       // uses of a stolen token, in order
	Expired   int           // number of tokens that expire instead of being revoked
	Outcome   trace.Outcome // "" means trace.OutcomeAnswered
	// NoTokens says that no token is issued, so none can be confirmed revoked.
	NoTokens bool
}

// A Denial names a denied tool and who denied it. For a denied delegation the tool
// is [Delegate].
type Denial struct {
	Tool      string
	RefusedBy trace.RefusedBy // "" means any of the three
}

// A Theft is one use of a stolen token: for whose data, and who denied it.
type Theft struct {
	PatientID string
	RefusedBy trace.RefusedBy // "" means that it was allowed
}
