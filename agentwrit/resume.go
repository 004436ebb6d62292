package agentwrit

import (
	"context"
	"strings"
	"time"
)

// Resume returns the agent that holds a token, so that one process can renew,
// delegate and release what another one created. It asks the broker for the token's
// claims and needs no login. The agent's key is not needed: the token proves its
// authority, also for [Agent.Renew].
//
// Resume fails with [ErrTokenInvalid] if the broker no longer accepts the token, and
// with [ErrInvalidRequest] if it is not an agent's token. Its expiry is taken from the
// claims, so it is by the broker's clock until the first renewal.
//
// Two agents with the same token don't know of each other: what one renews or
// releases, the other can no longer use.
func (a *App) Resume(ctx context.Context, token string) (*Agent, error) {
	claims, err := a.client.validate(ctx, token)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(claims.Subject, "spiffe://") {
		return nil, &Error{Op: "resume agent", Kind: ErrInvalidRequest, Detail: "the token is not that of an agent"}
	}
	agent := &Agent{client: a.client, change: make(chan struct{}, 1), identity: identity{id: claims.Subject,
		taskID: claims.TaskID, orchID: claims.OrchID, scope: claims.Scope, chain: claims.DelegationChain}}
	agent.set(token, int(claims.ExpiresAt-claims.IssuedAt), time.Unix(claims.IssuedAt, 0))
	return agent, nil
}
