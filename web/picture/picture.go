package picture

import (
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// A Frame is drawn before the first event: the scopes that each agent may get. It
// fixes the layout for the whole run.
type Frame struct {
	ID      string // prefix of element IDs: set it where a page shows several pictures
	App     string // the app's name at the broker
	Ceiling []string
	Lanes   []Plan // from top to bottom
}

// A Plan describes a lane: the agent of a category and the scopes that it may
// hold. Of a scope's identifier, it matters only whether it is "*".
type Plan struct {
	Category  string
	Scopes    []string // held from its registration
	Delegated []string // obtained by delegation only
}

// A Picture is the state of a run's credentials after the events applied so far.
// It is not safe for concurrent use.
type Picture struct {
	Frame   Frame
	Still   bool // set for a replay: remaining lifetimes are not counted down
	Patient Patient
	Lanes   []Lane // one for each of the frame's
	Refused []RefusedDelegation
	Broker  string // why the broker is unreachable, or empty
	Stopped string // what stopped the run before its end, or empty
	Ended   *trace.Complete
	Now     time.Time // of the last event
	Seq     int64     // of the last event
}

// A Patient is the patient of the run.
type Patient struct {
	ID      string
	Unknown bool // the records have no such patient
}

// A Lane holds the credentials and calls of one category's agent.
type Lane struct {
	Plan
	Agent     Credential // its own token
	Delegated Credential // the token that it obtained by delegation
	Calls     []Call
}

// A Credential is a token's state over its lifetime. A renewed token is the same
// credential.
type Credential struct {
	State    State
	AgentID  string
	SPIFFEID string
	Scope    []string
	From     string // category of the delegator, if delegated
	Issued   time.Time
	Expires  time.Time
	Renewals int
	Proof    Proof
	Problem  string // what failed during renewal or release
	Seq      int64  // of the event that last changed it
}

// A State is the state of a credential.
type State string

// The states. A credential that is [Alive] past its expiry is drawn as [Expired].
const (
	Absent   State = ""         // not issued yet
	Alive    State = "alive"    // issued, and not known to have ended
	Expired  State = "expired"  // expired
	Revoked  State = "revoked"  // rejected by the broker before its expiry, and not released
	Released State = "released" // released
	Denied   State = "denied"   // the broker refused to issue it
	Failed   State = "failed"   // not issued because of an error
)

// A Proof is the broker's validation of an ended token.
type Proof string

// The proofs.
const (
	Unconfirmed      Proof = ""
	ConfirmedRevoked Proof = "confirmed revoked"
	StillValid       Proof = "still valid" // released, but accepted by the broker
)

// A Call is a tool call that was allowed or denied.
type Call struct {
	Seq        int64
	Tool       string
	PatientID  string
	Delegated  bool // made with the delegated token
	Required   []string
	Missing    []string        // scopes, if that is why it was denied
	RefusedBy  trace.RefusedBy // empty: it was allowed
	TokenState State           // state of its token, if that is why it was denied
	Reason     string
}

// Allowed reports whether the call reached the records and was answered.
func (c Call) Allowed() bool { return c.RefusedBy == "" }

// A RefusedDelegation is a delegation that was denied.
type RefusedDelegation struct {
	Seq    int64
	From   string // category; empty when the delegator is not in the picture
	To     string
	Scope  []string
	Tool   string // whose call required it and was not made
	By     trace.RefusedBy
	Reason string
}

// New returns the picture before the first event.
func New(f Frame) *Picture {
	p := &Picture{Frame: f, Lanes: make([]Lane, len(f.Lanes))}
	for i, plan := range f.Lanes {
		p.Lanes[i].Plan = plan
	}
	return p
}

// Credential returns the credential that id names, and the zero Credential if its
// category has no lane.
func (p *Picture) Credential(id trace.Credential) Credential {
	switch l := p.lane(id.Category); {
	case l == nil:
		return Credential{}
	case id.Delegated:
		return l.Delegated
	default:
		return l.Agent
	}
}

// StateAt returns the state at a time: an active token past its expiry is expired.
func (c Credential) StateAt(now time.Time) State {
	if c.State == Alive && !now.Before(c.Expires) {
		return Expired
	}
	return c.State
}
