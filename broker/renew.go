package broker

import (
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/revocation"
	"github.com/devonartis/medassist-go/broker/internal/store"
)

// renew is POST /v1/token/renew. It replaces a token by one with the same
// subject, scopes and lifetime and a new jti. Of concurrent renewals of one token
// exactly one succeeds. Tokens that the agent delegated stay valid.
func (b *Broker) renew(r *request, _ *none) (*wire.RenewResponse, error) {
	if !isAgent(r.claims) {
		return nil, b.refuseNonAgent(r)
	}
	old := r.claims
	var claims *wire.Claims
	err := b.act(r, func(c *change) error {
		tok, agent, err := c.records(old)
		if err != nil {
			return err
		}
		if !c.underCeiling(tok.AppID, old.Scope) || !c.underCeiling(agent.AppID, nil) {
			return c.deny(bearer(old), refuse(wire.CodeScopeViolation, "scope exceeds the app's current ceiling"),
				tokenEvent(wire.EventTokenRenewalFailed, old, "renewal refused: %s exceeds the app's current ceiling", brief(old.Scope)))
		}
		if err := c.revoke(revocation.Token, old.ID, 0, expiry(old)); err != nil {
			return err
		}
		claims, err = c.issue(grant{kind: kindRenewed, subject: old.Subject, scope: old.Scope,
			ttl: time.Duration(lifetime(old)) * time.Second, renewUntil: tok.RenewUntil,
			appID: tok.AppID, taskID: old.TaskID, orchID: old.OrchID, chain: old.DelegationChain})
		if err != nil {
			return err
		}
		c.record(tokenEvent(wire.EventTokenRenewed, claims, "token renewed jti=%s from=%s ttl=%d", claims.ID, old.ID, lifetime(claims)))
		return c.extend(agent, expiry(claims))
	})
	if err != nil {
		return nil, err
	}
	raw, err := b.signer.Sign(claims)
	return &wire.RenewResponse{AccessToken: raw, ExpiresIn: lifetime(claims)}, err
}

// release is POST /v1/token/release. It revokes the token and everything delegated
// from it.
func (b *Broker) release(r *request, _ *none) (*none, error) {
	return nil, b.act(r, func(c *change) error {
		c.record(tokenEvent(wire.EventTokenReleased, r.claims, "token released jti=%s", r.claims.ID))
		c.then(b.metrics.revoked.WithLabelValues(kindReleased).Inc)
		return c.endToken(store.Token{ID: r.claims.ID, Subject: r.claims.Subject, ChainHash: r.claims.ChainHash, ExpiresAt: expiry(r.claims)})
	})
}

// endToken revokes one token and, unlike a renewal, what was delegated until now:
// with an agent's own token everything that the agent delegated, with a delegated
// token only what was delegated from it. Anyone who delegates to an agent gets a
// token with that agent as its subject, and must not be able to end the agent's
// other delegations with it.
func (c *change) endToken(tok store.Token) error {
	if err := c.revoke(revocation.Token, tok.ID, 0, tok.ExpiresAt); err != nil {
		return err
	}
	agent, found, err := c.tx.Agent(tok.Subject)
	if err != nil || !found || !agent.Delegated {
		return err
	}
	if tok.ChainHash != "" {
		return c.revoke(revocation.Lineage, revocation.LineageOfHash(tok.ChainHash, tok.Subject), c.at.UnixNano(), agent.ExpiresAt)
	}
	return c.revoke(revocation.Chain, tok.Subject, c.at.UnixNano(), agent.ExpiresAt)
}

// records returns the stored records of an agent's valid token.
func (c *change) records(claims *wire.Claims) (store.Token, store.Agent, error) {
	tok, found, err := c.tx.Token(claims.ID)
	if err != nil {
		return tok, store.Agent{}, err
	}
	agent, registered, err := c.tx.Agent(claims.Subject)
	if err != nil {
		return tok, agent, err
	}
	if !found || !registered {
		return tok, agent, c.deny(bearer(claims), errToken, tokenEvent(wire.EventTokenAuthFailed, claims, "token or agent not in the store"))
	}
	return tok, agent, nil
}

// extend keeps an agent registered at least until expires.
func (c *change) extend(agent store.Agent, expires time.Time) error {
	if !expires.After(agent.ExpiresAt) {
		return nil
	}
	agent.ExpiresAt = expires
	return c.tx.UpdateAgent(agent)
}

// isAgent reports whether a token's subject is an agent, not the admin or an app.
func isAgent(c *wire.Claims) bool {
	return strings.HasPrefix(c.Subject, "spiffe://")
}

// refuseNonAgent records and returns the refusal of a token that is not an
// agent's. Delegating the app's or the admin's own authority would let an agent
// escape its ceiling.
func (b *Broker) refuseNonAgent(r *request) error {
	return b.act(r, func(c *change) error {
		return c.deny(bearer(r.claims), errNotAnAgent, wire.AuditEvent{EventType: wire.EventScopeViolation, AgentID: r.claims.Subject, Resource: r.path})
	})
}

// tokenEvent returns an event about a token, with outcome success. For a delegated
// token the detail names the delegators: its holder need not
// be its subject.
func tokenEvent(t wire.EventType, c *wire.Claims, detail string, args ...any) wire.AuditEvent {
	return wire.AuditEvent{
		EventType: t, AgentID: c.Subject, TaskID: c.TaskID, OrchID: c.OrchID, Outcome: wire.OutcomeSuccess,
		Detail:     fmt.Sprintf(detail, args...) + delegatedBy(c),
		DelegDepth: len(c.DelegationChain), DelegChainHash: c.ChainHash,
	}
}

// delegatedBy names the delegators of a token in a detail, the first one first.
func delegatedBy(c *wire.Claims) string {
	if len(c.DelegationChain) == 0 {
		return ""
	}
	var agents []string
	for _, hop := range c.DelegationChain {
		agents = append(agents, hop.Agent)
	}
	return " delegated_by=" + list(agents)
}
