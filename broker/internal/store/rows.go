package store

import (
	"fmt"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// App is a registered application.
type App struct {
	ID             string
	Name           string
	ClientID       string
	SecretHash     []byte // bcrypt
	Scopes         []string
	TokenTTL       time.Duration
	CreatedAt      time.Time
	UpdatedAt      time.Time
	DeregisteredAt time.Time // zero while active
}

// LaunchToken is a credential for registering agents.
type LaunchToken struct {
	Hash      [32]byte // SHA-256 of the token
	AppID     string   // "" when the admin issued it
	AgentName string
	Scope     []string
	MaxTTL    time.Duration
	SingleUse bool
	Spent     bool
	ExpiresAt time.Time
}

// Agent is a registered agent.
type Agent struct {
	ID        string // SPIFFE ID
	AppID     string // "" when launched by the admin
	Name      string
	PublicKey []byte
	Delegated bool      // it has delegated
	ExpiresAt time.Time // expiry of the last of its tokens
}

// Token is an unexpired access token.
type Token struct {
	ID         string // jti
	Subject    string
	ChainHash  string    // chain_hash of a delegated token, otherwise ""
	AppID      string    // the app whose ceiling applies; "" for none
	RenewUntil time.Time // limit on the expiry of renewals; zero for none
	ExpiresAt  time.Time
}

// Revocation is one entry of the revocation list.
type Revocation struct {
	Kind      string
	Target    string
	Cutoff    int64 // Unix nanoseconds; see package revocation
	KeepUntil time.Time
}

// An EventFilter selects audit events. An empty field matches all events.
type EventFilter struct {
	AgentID, TaskID, EventType, Outcome string
	Since, Until                        time.Time // both inclusive
	Limit, Offset                       int
}

// A Head is the end of the audit log.
type Head struct {
	Chain wire.Chain
	At    time.Time // time of the last event; zero if there is none
}

// EventID returns the ID of the event at a position in the log. The first
// position is 1.
func EventID(seq int64) string { return fmt.Sprintf("evt-%06d", seq) }

// Nanos returns a time as it is stored: Unix nanoseconds, or 0 for the zero time.
func Nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Time returns the time that [Nanos] stored.
func Time(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
