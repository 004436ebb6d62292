package run

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/verdict"
	"github.com/devonartis/medassist-go/web/ui"
)

// Step is one line of the trace, and the detail that it opens to.
type Step struct {
	Seq     int64         // of its event; pieces of the answer have one too, so lines skip some
	No      int           // of its line: 1, 2, 3 …
	At      time.Duration // since the run started
	Took    time.Duration // the sum of its spans; 0 if it took no time of its own
	Type    trace.Type
	Meaning ui.Meaning
	Cleanup bool   // it ends a token after the answer
	What    string // one line
	Facts   []Fact
	Denial  *Denial // nil unless something was denied
	JSON    string  // the whole detail, indented
	Why     string  // address of the explanation of a decision; "" for other steps
	Detail  string  // the address from which a page fetches the detail; empty if the line holds it
}

// Denial says why a call was denied: the scopes it required beside those that
// its token holds, or what was wrong with the token.
type Denial struct {
	Required, Held []ui.Chip
	Reason         string
	By             string
}

// newStep returns the line of an event.
func newStep(run trace.Run, no int, e trace.Event) Step {
	s := Step{Seq: e.Seq, No: no, At: max(0, e.Time.Sub(run.Started)), Type: e.Step.Type(), Meaning: meaningOf(e), Cleanup: verdict.IsCleanUp(e.Step), What: e.Label,
		Facts: factsOf(e.Step), Denial: denialOf(e.Step), JSON: indented(e.Step), Why: whyURL(run, e)}
	for _, sp := range e.Spans {
		s.Took += sp.Took
	}
	return s
}

func denialOf(step trace.Step) *Denial {
	switch s := step.(type) {
	case trace.ScopeDenied:
		return &Denial{Required: ui.RequiredChips(s.RequiredScope, s.MissingScope, s.HeldScope), Held: ui.Chips(s.HeldScope), By: deniedBy(s.RefusedBy)}
	case trace.TokenRejected:
		return &Denial{Required: ui.Chips(s.RequiredScope), Reason: s.Reason, By: deniedBy(s.RefusedBy)}
	case trace.StolenTokenUsed:
		if s.RefusedBy == "" {
			return nil
		}
		return &Denial{Required: ui.RequiredChips(s.RequiredScope, s.MissingScope, s.HeldScope), Held: ui.Chips(s.HeldScope),
			Reason: s.Reason, By: deniedBy(s.RefusedBy)}
	case trace.DelegationDenied:
		return &Denial{Required: ui.RequiredChips(s.RequestedScope, s.MissingScope, s.DelegatorScope), Held: ui.Chips(s.DelegatorScope),
			Reason: s.Reason, By: deniedBy(s.RefusedBy)}
	default:
		return nil // nothing was denied
	}
}

func deniedBy(r trace.RefusedBy) string {
	switch r {
	case trace.RefusedByGate:
		return "the gate (scopes verified with the broker)"
	case trace.RefusedByBroker:
		return "the broker"
	case trace.RefusedByRecords:
		return "the records API"
	}
	return string(r)
}

// indented returns a step's detail as JSON for people to read. It does not
// escape angle brackets: the page does.
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
