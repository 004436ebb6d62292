package agentwrit

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// Agent is one live token and whose it is. One that [App.CreateAgent] returns
// holds what it was registered with; one that [Agent.Delegate] returns holds
// what was delegated. It is safe for concurrent use, and its accessors stay
// right across renewals.
type Agent struct {
	client   *client
	identity identity

	change chan struct{} // holds one while Renew or Release replaces or ends the token

	mu       sync.RWMutex // guards what follows
	token    string
	life     time.Duration
	expires  time.Time
	released bool
}

// identity is what a renewal does not change.
type identity struct {
	id, taskID, orchID string
	scope              []string
	chain              []DelegationHop
}

func newAgent(c *client, who identity, token string, expiresIn int) (*Agent, error) {
	if who.id == "" || token == "" {
		return nil, &Error{Op: "register agent", kind: ErrProtocol, Detail: "the broker answered without an ID or token"}
	}
	a := &Agent{client: c, identity: who, change: make(chan struct{}, 1)}
	a.identity.scope = slices.Clone(who.scope)
	a.set(token, expiresIn)
	return a, nil
}

func (a *Agent) set(token string, expiresIn int) {
	a.token = token
	a.life = time.Duration(expiresIn) * time.Second
	a.expires = a.client.now().Add(a.life)
}

// ID is the agent's SPIFFE ID; of a delegated token, the delegate's.
func (a *Agent) ID() string { return a.identity.id }

// TaskID is the task that the token serves.
func (a *Agent) TaskID() string { return a.identity.taskID }

// OrchID is the orchestration that the token serves.
func (a *Agent) OrchID() string { return a.identity.orchID }

// Scope is a copy of what was asked for and granted.
func (a *Agent) Scope() []string { return slices.Clone(a.identity.scope) }

// DelegationChain says who handed the authority on, the first one first. It is
// empty for a registered agent.
func (a *Agent) DelegationChain() []DelegationHop { return slices.Clone(a.identity.chain) }

// AccessToken is the token of now. It is a bearer: whoever reads it can use it.
func (a *Agent) AccessToken() string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.token
}

// BearerHeader is the value of an Authorization header (RFC 6750 section 2.1).
func (a *Agent) BearerHeader() string { return "Bearer " + a.AccessToken() }

// ExpiresAt is when the token of now dies, by the clock of this process.
func (a *Agent) ExpiresAt() time.Time {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.expires
}

// ExpiresIn is the time that the token of now has left, not below 0.
func (a *Agent) ExpiresIn() time.Duration {
	return max(0, a.ExpiresAt().Sub(a.client.now()))
}

// Released reports whether Release was called and succeeded.
func (a *Agent) Released() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.released
}

// Renew replaces the token by its successor, with the same scope and life. The
// old one is dead when Renew returns. Concurrent calls follow one another. If
// the answer is lost, the old token may be dead without a successor.
func (a *Agent) Renew(ctx context.Context) error {
	if err := a.lock(ctx, "renew token"); err != nil {
		return err
	}
	defer a.unlock()
	return a.renew(ctx)
}

// renew replaces the token; the caller holds the lock.
func (a *Agent) renew(ctx context.Context) error {
	token, err := a.live("renew token")
	if err != nil {
		return err
	}
	var out wire.RenewResponse
	if err := a.client.do(ctx, call{op: "renew token", method: "POST", path: "/v1/token/renew", bearer: token, out: &out}); err != nil {
		return err
	}
	if out.AccessToken == "" {
		return &Error{Op: "renew token", kind: ErrProtocol, Detail: "the broker answered without a token"}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set(out.AccessToken, out.ExpiresIn)
	return nil
}

// Release gives the token back: it is dead at the broker, and with it all that
// was delegated from it. Releasing again does nothing. A token that the broker
// no longer accepts counts as released.
func (a *Agent) Release(ctx context.Context) error {
	if err := a.lock(ctx, "release token"); err != nil {
		return err
	}
	defer a.unlock()
	token, err := a.live("release token")
	if err != nil {
		return nil
	}
	err = a.client.do(ctx, call{op: "release token", method: "POST", path: "/v1/token/release", bearer: token, safe: true})
	if err != nil && !errors.Is(err, ErrAuthentication) {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.released = true
	return nil
}

// Delegate hands on a part of what this token holds to a registered agent, for
// ttl (0 for the broker's default of 60 s). It fails with [ErrAuthorization]
// when scope is more than is held, and with [ErrNotFound] when no agent of that
// ID is registered.
func (a *Agent) Delegate(ctx context.Context, to string, scope []string, ttl time.Duration) (*Agent, error) {
	token, err := a.live("delegate")
	if err != nil {
		return nil, err
	}
	in := wire.DelegateRequest{DelegateTo: to, Scope: scope, TTL: int((ttl + time.Second - 1) / time.Second)}
	var out wire.DelegateResponse
	if err := a.client.do(ctx, call{op: "delegate", method: "POST", path: "/v1/delegate", bearer: token, in: in, out: &out}); err != nil {
		return nil, err
	}
	return newAgent(a.client, identity{id: to, taskID: a.identity.taskID, orchID: a.identity.orchID,
		scope: scope, chain: out.DelegationChain}, out.AccessToken, out.ExpiresIn)
}

// lock waits for its turn to change the token, or for ctx to end.
func (a *Agent) lock(ctx context.Context, op string) error {
	select {
	case a.change <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &Error{Op: op, kind: ErrTransport, Detail: "cancelled", cause: ctx.Err()}
	}
}

func (a *Agent) unlock() { <-a.change }

// live returns the token, or an error when it was released.
func (a *Agent) live(op string) (string, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.released {
		return "", &Error{Op: op, kind: ErrReleased}
	}
	return a.token, nil
}

// String names the agent without its token.
func (a *Agent) String() string { return "agentwrit.Agent(" + a.identity.id + ")" }

// GoString is String: the token is in no form of printing.
func (a *Agent) GoString() string { return a.String() }

// LogValue is String for slog.
func (a *Agent) LogValue() slog.Value { return slog.StringValue(a.String()) }
