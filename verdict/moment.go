package verdict

import (
	"github.com/devonartis/medassist-go/trace"
)

// A Moment is the event that decided a run, with what a reader needs to check the
// decision: which scope was required, which ones the token held, and who decided.
type Moment struct {
	Seq       int64
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
}

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
			return Moment{Seq: seq, Meaning: Denied, Tool: s.Tool, PatientID: s.PatientID, Required: s.RequiredScope, By: s.RefusedBy}, true
		}
	}
	for _, u := range r.thefts {
		if u.seq == seq {
			s := u.step
			return compared(Moment{Seq: seq, Meaning: Denied, Tool: s.Tool, PatientID: s.PatientID, Required: s.RequiredScope,
				Held: s.HeldScope, Missing: s.MissingScope, By: s.RefusedBy}), true
		}
	}
	for _, g := range r.granted {
		if g.seq == seq {
			return Moment{Seq: seq, Meaning: Delegated, PatientID: r.info.PatientID, Required: g.step.DelegatedScope, Held: g.step.DelegatorScope}, true
		}
	}
	for _, v := range r.revoked {
		if v.seq == seq {
			return Moment{Seq: seq, Meaning: Denied, PatientID: r.info.PatientID}, true
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
