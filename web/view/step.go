package view

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// Step is one line of the trace and what it opens to.
type Step struct {
	Seq     int64         // of its event; pieces of the answer have one too, so lines leave some out
	No      int           // of its line: 1, 2, 3 …
	At      time.Duration // since the run began
	Took    time.Duration // in all places together; 0 if it took no time of its own
	Type    trace.Type
	Meaning Meaning
	What    string // one line
	Facts   []Fact
	Denial  *Denial // of a refusal
	JSON    string  // the whole detail, indented
}

// Fact is one thing worth reading in a step's detail.
type Fact struct {
	Name   string
	Value  string
	Note   string // what it means
	Mono   bool   // an identifier
	Scopes []Chip // instead of a value
}

// Denial says why a call was not let through: what it required beside what its
// token held, or what was wrong with the token.
type Denial struct {
	Required, Held []Chip
	Reason         string
	RefusedBy      string
}

// newStep says what an event shows, on the line of that number.
func newStep(run trace.Run, no int, e trace.Event) Step {
	s := Step{Seq: e.Seq, No: no, At: max(0, e.Time.Sub(run.Started)), Type: e.Step.Type(), Meaning: meaningOf(e), What: e.Label,
		Facts: factsOf(e.Step), Denial: denialOf(e.Step), JSON: indented(e.Step)}
	for _, sp := range e.Spans {
		s.Took += sp.Took
	}
	return s
}

func denialOf(step trace.Step) *Denial {
	switch s := step.(type) {
	case trace.ScopeDenied:
		return &Denial{Required: requiredChips(s.RequiredScope, s.MissingScope, s.HeldScope), Held: Chips(s.HeldScope), RefusedBy: refuser(s.RefusedBy)}
	case trace.TokenRejected:
		return &Denial{Required: Chips(s.RequiredScope), Reason: s.Reason, RefusedBy: refuser(s.RefusedBy)}
	case trace.StolenTokenUsed:
		if s.RefusedBy == "" {
			return nil
		}
		return &Denial{Required: requiredChips(s.RequiredScope, s.MissingScope, s.HeldScope), Held: Chips(s.HeldScope),
			Reason: s.Reason, RefusedBy: refuser(s.RefusedBy)}
	case trace.DelegationDenied:
		return &Denial{Required: requiredChips(s.RequestedScope, s.MissingScope, s.DelegatorScope), Held: Chips(s.DelegatorScope),
			Reason: s.Reason, RefusedBy: refuser(s.RefusedBy)}
	default:
		return nil // nothing was refused
	}
}

func refuser(r trace.RefusedBy) string {
	switch r {
	case trace.RefusedByGate:
		return "the gate, on the broker's word"
	case trace.RefusedByBroker:
		return "the broker"
	case trace.RefusedByRecords:
		return "the records API"
	}
	return string(r)
}

// indented is a step's detail as JSON for people. Angle brackets stay as they
// are: the page escapes them.
func indented(step trace.Step) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(step); err != nil {
		return err.Error()
	}
	return b.String()
}
