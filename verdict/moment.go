package verdict

import (
	"fmt"
	"slices"

	"github.com/devonartis/medassist-go/trace"
)

// A Moment is the event that decided a run, with what a reader needs to check the
// decision: which scope was required, which ones the token held, and who decided.
type Moment struct {
	Seq       int64
	Kind      Kind
	Meaning   Meaning
	Tool      string // empty for a delegation
	PatientID string
	Required  []string        // scopes
	Held      []string        // scopes; nil if the token was no longer valid
	Missing   []string        // scopes
	By        trace.RefusedBy // empty if nothing was refused
	// Scopes compares the first missing scope with the closest held one. It is
	// nil where no scope was missing.
	Scopes *Comparison
	Reason string // why the token was not accepted; empty unless that decided it
}

// A Kind says what a key moment was.
type Kind int

// The kinds of key moment.
const (
	Denial Kind = iota // of a call or of a delegation
	Delegation
	Revocation
	Theft // a use of a stolen token that was not denied
)

// KeyMoment returns the event that the line is about. It is absent while nothing
// has been denied, delegated or revoked.
func (r *Run) KeyMoment() (Moment, bool) {
	seq := r.line.Seq
	for _, d := range r.denials {
		if d.seq == seq {
			s := d.step
			return compared(Moment{Seq: seq, Meaning: Denied, Tool: s.Tool, PatientID: s.PatientID, Required: s.RequiredScope,
				Held: s.HeldScope, Missing: s.MissingScope, By: s.RefusedBy}), true
		}
	}
	for _, d := range r.refused {
		if d.seq == seq {
			s := d.step
			return compared(Moment{Seq: seq, Meaning: Denied, PatientID: s.PatientID, Required: s.RequestedScope,
				Held: s.DelegatorScope, Missing: s.MissingScope, By: s.RefusedBy}), true
		}
	}
	for _, d := range r.rejections {
		if d.seq == seq {
			s := d.step
			return Moment{Seq: seq, Meaning: Denied, Tool: s.Tool, PatientID: s.PatientID, Required: s.RequiredScope, By: s.RefusedBy,
				Reason: r.NotAccepted(s.Credential)}, true
		}
	}
	for _, u := range r.thefts {
		if u.seq == seq {
			s := u.step
			m := Moment{Seq: seq, Meaning: Denied, Tool: s.Tool, PatientID: s.PatientID, Required: s.RequiredScope,
				Held: s.HeldScope, Missing: s.MissingScope, By: s.RefusedBy}
			switch {
			case s.RefusedBy == "":
				m.Kind = Theft
			case len(s.MissingScope) == 0:
				m.Reason = r.NotAccepted(s.Credential)
			}
			return compared(m), true
		}
	}
	for _, g := range r.granted {
		if g.seq == seq {
			return Moment{Seq: seq, Kind: Delegation, Meaning: Delegated, PatientID: r.info.PatientID, Required: g.step.DelegatedScope, Held: g.step.DelegatorScope}, true
		}
	}
	for _, v := range r.revoked {
		if v.seq == seq {
			return Moment{Seq: seq, Kind: Revocation, Meaning: Denied, PatientID: r.info.PatientID}, true
		}
	}
	return Moment{}, false
}

func compared(m Moment) Moment {
	if len(m.Missing) > 0 {
		c := Compare(m.Missing[0], m.Held)
		m.Scopes = &c
	}
	return m
}

// NotAccepted returns why a token is no longer accepted, as far as the events so far
// tell.
func (r *Run) NotAccepted(c trace.Credential) string {
	_, released := r.released[c]
	switch {
	case r.wasRevoked(c):
		return "The operator revoked the token."
	case released:
		return "The token was revoked at the end of the run."
	case r.incident != nil && r.incident.step.Kind == trace.IncidentExpiry && r.incident.step.Credential == c:
		return fmt.Sprintf("The token expired after %s.", span(r.ttl[c]))
	}
	return "The broker no longer accepts the token."
}

// wasRevoked reports whether an operator has revoked a token.
func (r *Run) wasRevoked(c trace.Credential) bool {
	return slices.ContainsFunc(r.revoked, func(x at[trace.TokenRevoked]) bool { return slices.Contains(x.step.Credentials, c) })
}
