package agents

import (
	"context"
	"errors"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// A Cluster connects the services of several replicas of the program. Each live run
// has an owner, the one replica that runs it. The others see it, steer it by asking
// the owner, and end it if the owner is gone. Package agents/shared implements
// Cluster. A service without one is alone.
type Cluster interface {
	// Claim makes this replica the owner of the live runs whose owner is gone, and
	// returns them. No other replica gets the same run.
	Claim(ctx context.Context) ([]trace.Run, error)
	// Lost returns those of the runs that another replica owns.
	Lost(ctx context.Context, runIDs []string) ([]string, error)
	// Others returns the live runs of other replicas, the oldest first.
	Others(ctx context.Context) ([]OtherRun, error)
	// Changed returns a channel that receives a value when the result of Others may
	// have changed.
	Changed() <-chan struct{}

	// SaveState saves what other replicas see of a run of this one.
	SaveState(ctx context.Context, runID string, s State) error
	// SaveToken saves a token of a run, in place of what was saved under its
	// credential. It returns once that would survive a crash, and fails with
	// ErrNotOwner if another replica owns the run.
	SaveToken(ctx context.Context, t SavedToken) error
	// Tokens returns a run's saved tokens in the order in which they were issued.
	Tokens(ctx context.Context, runID string) ([]SavedToken, error)
	// Forget deletes what was saved about a run.
	Forget(ctx context.Context, runID string) error

	// Ask sends a question to the owner of a run and returns the answer. It fails
	// with ErrNotLive, with ErrNoAnswer, and with ctx's error.
	Ask(ctx context.Context, runID string, question []byte) ([]byte, error)
	// Serve answers questions about runs of this replica until ctx ends. It calls
	// answer in several goroutines.
	Serve(ctx context.Context, answer func(ctx context.Context, runID string, question []byte) []byte)

	// FirstStart returns the run that was started with a key within that time. If
	// there is none, it is runID from now on. It fails with ErrKeyUsed if the key
	// came with another digest.
	FirstStart(ctx context.Context, key, digest, runID string, within time.Duration) (string, error)
}

// An OtherRun is a live run of another replica.
type OtherRun struct {
	ID     string
	State  State
	Tokens []Token // active ones, in the order in which they were issued
}

// A SavedToken is what a replica that takes over a run needs to end a token.
type SavedToken struct {
	Token           // before the token is known, Expires is an upper bound
	Secret   string // the token itself; empty until one was issued
	Ended    bool   // the broker has confirmed its end
	Unstable bool   // a request that issues or replaces the token may be under way
}

// Errors of a [Cluster].
var (
	ErrNotOwner = errors.New("another replica has taken over the run")
	ErrNoAnswer = errors.New("the replica that runs it does not answer; if it is gone, another one ends the run within a few seconds")
	ErrKeyUsed  = errors.New("this key was just used for another request")
)
