package picture

import (
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// Frame is what is drawn before the first event: who may be given what. It
// fixes the layout for the whole run.
type Frame struct {
	ID      string // prefix of element IDs: set it where a page shows several pictures
	App     string // the app's name at the broker
	Ceiling []string
	Lanes   []Plan // from top to bottom
}

// Plan is a lane: one category's agent and the scopes it may come to hold. Of
// a scope only action, resource and whether the identifier is "*" count here.
type Plan struct {
	Category string
	Scopes   []string // held from its birth
	Lent     []string // held only by delegation
}

// Picture is a run's authority as it stands after the events applied so far.
// It is not safe for concurrent use.
type Picture struct {
	Frame   Frame
	Still   bool // set for a replay: its times are past, so nothing may run down
	Patient Patient
	Lanes   []Lane // one for each of the frame's
	Refused []RefusedDelegation
	Broker  string // why the broker is out of reach, or empty
	Stopped string // what stopped the run before its end, or empty
	Ended   *trace.Complete
	Now     time.Time // of the last event
	Seq     int64     // of the last event
}

// Patient is whom the run is about.
type Patient struct {
	ID      string
	Unknown bool // the records have no such patient
}

// Lane is what one category's agent holds and has tried.
type Lane struct {
	Plan
	Agent Credential // its own token
	Lent  Credential // the token it holds by delegation
	Calls []Call
}

// Credential is one token's life. A renewed token is the same credential.
type Credential struct {
	State    State
	AgentID  string
	SPIFFEID string
	Scope    []string
	From     string // of a lent one: the delegator's category
	Issued   time.Time
	Expires  time.Time
	Renewals int
	Proof    Proof
	Trouble  string // what failed while it was renewed or released
	Seq      int64  // of the event that last changed it
}

// State is where a credential is in its life.
type State string

// The states. A credential that is [Alive] past its expiry is drawn as [Expired].
const (
	Absent   State = ""         // not issued yet
	Alive    State = "alive"    // issued, and not known to have ended
	Expired  State = "expired"  // its time ran out
	Revoked  State = "revoked"  // the broker refuses it, before its time, though nobody gave it back
	Released State = "released" // given back
	Denied   State = "denied"   // the broker refused to issue it
	Failed   State = "failed"   // it was not issued, for a reason that is no refusal
)

// Proof is the broker's word on an ended token.
type Proof string

// The proofs.
const (
	Unproven   Proof = ""
	ProvenDead Proof = "proven dead"
	StillValid Proof = "still valid" // it was given back, and the broker accepts it
)

// Call is a tool call that came to a check.
type Call struct {
	Seq       int64
	Tool      string
	PatientID string
	Lent      bool // made with the delegated token
	Required  []string
	Missing   []string        // of a refused one, where scope was the reason
	RefusedBy trace.RefusedBy // empty: it was allowed
	Dead      State           // its token's state, where that was the reason
	Reason    string
}

// Allowed reports whether the call reached the records and was answered.
func (c Call) Allowed() bool { return c.RefusedBy == "" }

// RefusedDelegation is authority that one agent tried to hand on and that the
// broker kept back.
type RefusedDelegation struct {
	Seq    int64
	From   string // category; empty when the delegator is not in the picture
	To     string
	Scope  []string
	Tool   string // the call that needed it, which was not made
	By     trace.RefusedBy
	Reason string
}

// New is the picture before the first event: every lane reserved, none taken.
func New(f Frame) *Picture {
	p := &Picture{Frame: f, Lanes: make([]Lane, len(f.Lanes))}
	for i, plan := range f.Lanes {
		p.Lanes[i].Plan = plan
	}
	return p
}

// Counts is the picture in numbers, one for each of the five meanings.
type Counts struct {
	Allowed, Denied, Delegated, Alive, Ended int
}

// Counts adds up what is drawn. Refused delegations and refused agents are
// among the denied.
func (p *Picture) Counts() Counts {
	n := Counts{Denied: len(p.Refused)}
	for _, l := range p.Lanes {
		for _, c := range l.Calls {
			if c.Allowed() {
				n.Allowed++
			} else {
				n.Denied++
			}
		}
		if l.Lent.issued() {
			n.Delegated++
		}
		for _, c := range []Credential{l.Agent, l.Lent} {
			switch c.StateAt(p.Now) {
			case Alive:
				n.Alive++
			case Expired, Revoked, Released:
				n.Ended++
			case Denied:
				n.Denied++
			}
		}
	}
	return n
}

// Credential is the token that id names, as it stands; the zero Credential for
// a category that has no lane.
func (p *Picture) Credential(id trace.Credential) Credential {
	switch l := p.lane(id.Category); {
	case l == nil:
		return Credential{}
	case id.Delegated:
		return l.Lent
	default:
		return l.Agent
	}
}

// issued reports whether there ever was such a token.
func (c Credential) issued() bool {
	return c.State != Absent && c.State != Denied && c.State != Failed
}

// StateAt is the state at a time: a living token past its expiry is expired.
func (c Credential) StateAt(now time.Time) State {
	if c.State == Alive && !now.Before(c.Expires) {
		return Expired
	}
	return c.State
}
