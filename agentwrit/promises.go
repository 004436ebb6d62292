package agentwrit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/devonartis/medassist-go/internal/random"
)

// An Answer tells whether a broker was seen to keep a promise.
type Answer string

// The values of [Answer].
const (
	Unknown Answer = ""         // the broker was not asked, or gave no answer
	Kept    Answer = "kept"     // confirmed by the broker
	NotKept Answer = "not kept" // contradicted by the broker
)

// Promises tells which promises a broker keeps that not every broker does. The
// embedded broker keeps all of them; the reference broker keeps none.
type Promises struct {
	// Keys: the broker serves the public keys of its tokens, so that an
	// [OfflineVerifier] can verify them.
	Keys Answer `json:"keys"`
	// Checkpoints: the broker signs the head of its audit log, so that a log that
	// was truncated or completely rewritten can be detected.
	Checkpoints Answer `json:"checkpoints"`
	// Cascade: ending an agent's token also ends what was delegated from it.
	Cascade Answer `json:"cascade"`
}

// Known reports whether the broker has answered every question.
func (p Promises) Known() bool {
	return p.Keys != Unknown && p.Checkpoints != Unknown && p.Cascade != Unknown
}

// Promises asks the broker which promises it keeps, and relies on its answers
// alone. It fetches the keys and a checkpoint, and creates two short-lived agents
// that hold the scope: one delegates to the other and releases its own token, and
// the broker is asked about the delegated token. All tokens are released, or expire
// within a minute if ctx ends first. If a question gets no answer, Promises returns
// what it has learned and an error.
func (a *App) Promises(ctx context.Context, scope string) (Promises, error) {
	var p Promises
	_, keysErr := a.client.keys(ctx)
	p.Keys, keysErr = served(keysErr)
	_, _, signedErr := a.client.checkpoint(ctx)
	p.Checkpoints, signedErr = served(signedErr)
	var err error
	p.Cascade, err = a.cascade(ctx, scope)
	return p, errors.Join(keysErr, signedErr, err)
}

// served turns the result of asking an optional endpoint into an answer.
func served(err error) (Answer, error) {
	switch {
	case err == nil:
		return Kept, nil
	case errors.Is(err, ErrNotServed):
		return NotKept, nil
	}
	return Unknown, err
}

// cascade asks what becomes of a delegated token when its delegator's is released.
func (a *App) cascade(ctx context.Context, scope string) (answer Answer, err error) {
	task := "promises-" + random.Hex(4)
	var agents [2]*Agent
	for i := range agents {
		agent, err := a.CreateAgent(ctx, AgentRequest{OrchID: "promises", TaskID: task, Scope: []string{scope}, MaxTTL: time.Minute})
		if err != nil {
			return Unknown, err
		}
		agents[i] = agent
		defer func() { err = errors.Join(err, endProbe(ctx, agent)) }()
	}
	delegated, err := agents[0].Delegate(ctx, agents[1].ID(), []string{scope}, 30*time.Second)
	if err != nil {
		return Unknown, err
	}
	defer func() { err = errors.Join(err, endProbe(ctx, delegated)) }()
	if err := agents[0].Release(ctx); err != nil {
		return Unknown, err
	}
	switch _, err := a.Validate(ctx, delegated.AccessToken()); {
	case err == nil:
		return NotKept, nil
	case errors.Is(err, ErrTokenInvalid):
		return Kept, nil
	default:
		return Unknown, err
	}
}

// endProbe releases a token unless it has ended already.
func endProbe(ctx context.Context, agent *Agent) error {
	if err := agent.Release(ctx); err != nil && !errors.Is(err, ErrAuthentication) {
		return fmt.Errorf("release a token that was created to ask the broker: %w", err)
	}
	return nil
}
