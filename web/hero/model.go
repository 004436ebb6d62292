package hero

import (
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// A Hero is what the picture shows of a run after the events applied so far. It is
// not safe for concurrent use.
type Hero struct {
	patient string
	name    string
	unknown bool // the records have no such patient

	lanes   []*lane // in the order of the tool categories
	thefts  []theft
	ended   *trace.Complete
	stopped bool // by the operator, a cancellation or a failure
	now     time.Time
}

// A lane is one category's agent with its calls.
type lane struct {
	category  string
	agent     token
	delegated token
	rows      []row
}

// A token is one credential. A renewed token is the same credential.
type token struct {
	state   state
	id      string // the agent's SPIFFE ID
	scopes  []string
	issued  time.Time
	expires time.Time
}

// state is how far a token has come in its life.
type state string

const (
	absent   state = ""
	alive    state = "alive"
	released state = "released"
	revoked  state = "revoked" // by the operator
	expired  state = "expired"
	failed   state = "failed" // it was never issued
)

func (t token) over() bool { return t.state == released || t.state == revoked || t.state == expired }

// kind is what a row of a lane stands for.
type kind int

const (
	pending    kind = iota // requested by the model, not decided yet
	allowed                // passed the gate and was answered
	denied                 // stopped at a check
	source                 // a scope that was delegated to another lane
	overreach              // a delegation that was refused
	unfinished             // failed for a reason other than authorization
)

// A row is one line of a lane.
type row struct {
	kind      kind
	callID    string
	tool      string
	patient   string
	scopes    []string // required
	missing   []string
	delegated bool // made with the delegated token
	by        trace.RefusedBy
	over      state // the token's state, where that was the reason
}

// A theft is one use of a stolen token.
type theft struct {
	category string
	patient  string
	allowed  bool
	failed   bool // neither allowed nor denied
	scope    bool // denied for want of a scope
	after    bool // the token had been released by then
	more     int  // further patients that were denied for the same reason
}
