package picture

import (
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// Tokens is the state of a run's tokens after the events applied so far. It is not
// safe for concurrent use. The zero Tokens is that of a run without events.
type Tokens struct {
	Now time.Time // of the last event

	byID map[trace.Credential]*Credential
}

// A Credential is a token's state over its lifetime. A renewed token is the same
// credential.
type Credential struct {
	State    State
	SPIFFEID string // of the agent that holds it
	Scope    []string
	Issued   time.Time
	Expires  time.Time
	Renewals int
	Proof    Proof
	Problem  string // what failed during renewal or release
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

// Credential returns the credential that id names, and the zero Credential if there
// was no such token.
func (t *Tokens) Credential(id trace.Credential) Credential {
	if c := t.byID[id]; c != nil {
		return *c
	}
	return Credential{}
}

// StateAt returns the state at a time: an active token past its expiry is expired.
func (c Credential) StateAt(now time.Time) State {
	if c.State == Alive && !now.Before(c.Expires) {
		return Expired
	}
	return c.State
}
