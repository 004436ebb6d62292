package store

import (
	"context"
	"errors"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// ErrLocked is the error for a data folder that another process is using.
var ErrLocked = errors.New("another broker is running on this data folder")

// A Store is an open database. Update, Probe and Changes must be called from one
// goroutine at a time; all other methods are safe for concurrent use.
type Store interface {
	// Update runs fn in one transaction and commits it. If fn or the commit fails,
	// nothing is stored. The commit is on disk, and every process that shares the
	// database knows of its revocations, when durable has returned nil; a nil
	// durable means that this is so already.
	Update(fn func(Tx) error) (durable func() error, err error)

	// Probe reports whether the database can take a large write.
	Probe() error

	Apps(ctx context.Context) ([]App, error)                        // all apps, oldest first
	App(ctx context.Context, id string) (App, bool, error)          // also a deregistered one; false if there is none
	ActiveAgents(ctx context.Context, now time.Time) (int64, error) // number of agents that are unexpired at now
	Revocations(ctx context.Context) ([]Revocation, error)

	// Log calls fn with every audit event in order, stops at its first error, and
	// returns the head that was stored with the events.
	Log(ctx context.Context, fn func(seq int64, e wire.AuditEvent) error) (wire.Chain, error)

	// Events returns one page of the matching events, oldest first, and the total
	// number of matches.
	Events(ctx context.Context, f EventFilter) ([]wire.AuditEvent, int, error)

	Close() error

	// Shared reports whether other processes can use the database. If not, nothing
	// is ever changed by others, and memory is always current.
	Shared() bool

	// Changed receives after another process has committed, and from time to time.
	Changed() <-chan struct{}

	// Changes returns what other processes have committed since the last call of
	// Changes or [Tx.Changes].
	Changes(ctx context.Context) (*Changes, error)

	// Applied confirms that changes are in memory. A process answers a revocation
	// only after every other process has confirmed it.
	Applied(*Changes)

	// Current reports whether no other process can have answered a revocation
	// that is not in memory here.
	Current() bool
}

// Changes are what other processes have committed.
type Changes struct {
	Head        Head
	Apps        []App
	Revocations []Revocation
	Nonces      [][]byte // used ones
	Version     int64    // of the database
}

// A Tx is a write transaction.
type Tx interface {
	// Changes is like [Store.Changes]. It is nil if no other process can have
	// committed.
	Changes() (*Changes, error)

	AppNamed(name string) (bool, error) // whether an active app has the name
	PutApp(App) error                   // inserts it or replaces it

	InsertLaunchToken(LaunchToken) error
	LaunchToken(hash [32]byte) (LaunchToken, bool, error)
	SpendLaunchToken(hash [32]byte) error

	// SpendNonce stores that a nonce was used, until it expires. A database of one
	// process leaves that to the memory of the process.
	SpendNonce(nonce []byte, expires time.Time) error

	InsertAgent(Agent) error
	Agent(id string) (Agent, bool, error)
	AgentsOf(appID string) ([]string, error) // IDs of the app's agents
	UpdateAgent(Agent) error                 // stores Delegated and ExpiresAt
	DeleteAgent(id string) error

	InsertToken(Token) error
	Token(id string) (Token, bool, error)

	// Revoke stores a revocation. Of two with one target the later cutoff and the
	// longer retention apply.
	Revoke(Revocation) error

	// AppendEvent stores the event at position seq of the log, and SetHead the log's
	// size and the hash of its last event, so that a truncated log is detected at
	// the next start.
	AppendEvent(seq int64, e wire.AuditEvent) error
	SetHead(Head) error

	Meta(name string) (string, error) // a named value, or "" if it was never set
	SetMeta(name, value string) error

	// Expire deletes at most limit expired rows of each table. It returns the
	// deleted revocations, and whether expired rows may be left.
	//
	// A revocation is deleted once every token that it revokes has expired. A
	// revocation that forbids an agent to delegate is kept as long as the agent.
	Expire(now time.Time, limit int) (dropped []Revocation, more bool, err error)
}
