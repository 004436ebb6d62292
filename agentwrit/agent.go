package agentwrit

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// An Agent is an agent's identity together with its current access token.
// [App.CreateAgent] returns one that holds the scopes it registered with;
// [Agent.Delegate] returns one that holds the delegated scopes; [App.Resume]
// returns one for a token that another process obtained. An Agent is safe for
// concurrent use, and its accessors reflect the most recent renewal.
type Agent struct {
	client   *client
	identity identity

	change chan struct{} // semaphore: Renew and Release hold it while they replace or end the token

	mu       sync.RWMutex // guards the fields below
	token    secret
	life     time.Duration
	expires  time.Time
	released bool
}

// identity holds the fields that stay the same across renewals.
type identity struct {
	id, taskID, orchID string
	scope              []string
	chain              []DelegationHop
}

// newAgent builds the Agent that a response to op describes.
func newAgent(c *client, op string, who identity, token string, expiresIn int, sent time.Time) (*Agent, error) {
	if who.id == "" || token == "" {
		return nil, &Error{Op: op, Kind: ErrProtocol, Detail: "the response lacks an agent ID or a token", issuing: true}
	}
	a := &Agent{client: c, identity: who, change: make(chan struct{}, 1)}
	a.identity.scope = slices.Clone(who.scope)
	a.set(token, expiresIn, sent)
	return a, nil
}

// set stores a token. Its lifetime is counted from when it was requested, so that
// the broker does not consider it expired earlier than this agent does.
func (a *Agent) set(token string, expiresIn int, requested time.Time) {
	a.token = keep(token)
	a.life = time.Duration(expiresIn) * time.Second
	a.expires = requested.Add(a.life)
}

// ID returns the agent's SPIFFE ID. For a delegated token it is the delegate's.
func (a *Agent) ID() string { return a.identity.id }

// TaskID returns the task that the agent was created for. For a delegated token
// it is the delegator's.
func (a *Agent) TaskID() string { return a.identity.taskID }

// OrchID returns the orchestration that the agent belongs to. For a delegated
// token it is the delegator's.
func (a *Agent) OrchID() string { return a.identity.orchID }

// Scope returns a copy of the granted scopes.
func (a *Agent) Scope() []string { return slices.Clone(a.identity.scope) }

// DelegationChain returns the delegations that led to this token, oldest first.
// It is empty for an agent that registered itself.
func (a *Agent) DelegationChain() []DelegationHop { return slices.Clone(a.identity.chain) }

// AccessToken returns the current access token. It is a bearer token: anyone
// who obtains it can use it until it expires or is revoked.
func (a *Agent) AccessToken() string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.token.reveal()
}

// BearerHeader returns the value of an Authorization header that carries the
// current access token (RFC 6750, section 2.1).
func (a *Agent) BearerHeader() string { return "Bearer " + a.AccessToken() }

// ExpiresAt returns the time at which the current token expires, by the local
// clock.
func (a *Agent) ExpiresAt() time.Time {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.expires
}

// ExpiresIn returns the remaining lifetime of the current token, or 0 if it has
// expired.
func (a *Agent) ExpiresIn() time.Duration {
	return max(0, a.ExpiresAt().Sub(a.client.now()))
}

// Released reports whether [Agent.Release] has succeeded.
func (a *Agent) Released() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.released
}

// Renew exchanges the current token for a new one with the same scopes and
// lifetime. The broker has revoked the old token when Renew returns. Concurrent
// calls are serialized. If the response is lost, the old token may be revoked
// although no new one arrived; the error then reports [Error.MayHaveIssued].
func (a *Agent) Renew(ctx context.Context) error {
	if err := a.lock(ctx, "renew token"); err != nil {
		return err
	}
	defer a.unlock()
	return a.renew(ctx)
}

// renew replaces the token. The caller holds the semaphore.
func (a *Agent) renew(ctx context.Context) error {
	token, err := a.current("renew token")
	if err != nil {
		return err
	}
	sent := a.client.now()
	var out wire.RenewResponse
	if err := a.client.do(ctx, call{op: "renew token", method: "POST", path: "/v1/token/renew",
		bearer: token, out: &out, issuing: true}); err != nil {
		return err
	}
	if out.AccessToken == "" {
		return &Error{Op: "renew token", Kind: ErrProtocol, Detail: "the response lacks a token", issuing: true}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set(out.AccessToken, out.ExpiresIn, sent)
	return nil
}

// Release revokes the current token at the broker, which also revokes what was
// delegated from it. It succeeds only when the broker has confirmed that.
// Releasing an agent again does nothing.
//
// If the broker does not accept the token, Release fails with
// [ErrAuthentication], because that does not show what became of the token. The
// error also wraps [ErrExpired] if the token has expired; there is then nothing
// left to release. Otherwise someone else revoked it, or an earlier attempt did
// whose response was lost.
func (a *Agent) Release(ctx context.Context) error {
	if err := a.lock(ctx, "release token"); err != nil {
		return err
	}
	defer a.unlock()
	token, err := a.current("release token")
	if err != nil {
		return nil
	}
	err = a.client.do(ctx, call{op: "release token", method: "POST", path: "/v1/token/release", bearer: token, safe: true, status: http.StatusNoContent})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.released = true
	return nil
}

// Delegate issues a token with some of this agent's scopes to another
// registered agent, named by its SPIFFE ID. The token expires after ttl (0 for
// the broker's default of 60 s), and no later than the delegator's. Delegate
// fails with [ErrAuthorization] if scope exceeds what this agent holds, and
// with [ErrNotFound] if the broker knows no agent of that ID.
func (a *Agent) Delegate(ctx context.Context, to string, scope []string, ttl time.Duration) (*Agent, error) {
	token, err := a.current("delegate")
	if err != nil {
		return nil, err
	}
	in := wire.DelegateRequest{DelegateTo: to, Scope: scope, TTL: wholeSeconds(ttl)}
	sent := a.client.now()
	var out wire.DelegateResponse
	if err := a.client.do(ctx, call{op: "delegate", method: "POST", path: "/v1/delegate",
		bearer: token, in: in, out: &out, issuing: true}); err != nil {
		return nil, err
	}
	return newAgent(a.client, "delegate", identity{id: to, taskID: a.identity.taskID, orchID: a.identity.orchID,
		scope: scope, chain: out.DelegationChain}, out.AccessToken, out.ExpiresIn, sent)
}

// wholeSeconds rounds d up to seconds, the protocol's unit.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// lock acquires the semaphore, or fails when ctx ends.
func (a *Agent) lock(ctx context.Context, op string) error {
	select {
	case a.change <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &Error{Op: op, Kind: ErrTransport, Detail: "canceled", cause: ctx.Err()}
	}
}

func (a *Agent) unlock() { <-a.change }

// current returns the token, or [ErrReleased] if it was released.
func (a *Agent) current(op string) (string, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.released {
		return "", &Error{Op: op, Kind: ErrReleased}
	}
	return a.token.reveal(), nil
}

// String identifies the agent without revealing its token.
func (a *Agent) String() string { return "agentwrit.Agent(" + a.identity.id + ")" }

// GoString returns the same text as String, so that %#v reveals no token.
func (a *Agent) GoString() string { return a.String() }

// LogValue returns the same text as String for package slog.
func (a *Agent) LogValue() slog.Value { return slog.StringValue(a.String()) }
