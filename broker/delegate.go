package broker

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/revocation"
)

// delegate is POST /v1/delegate. It issues a token with part of the caller's
// scopes to another agent, valid for at most the remaining lifetime of the
// caller's token.
func (b *Broker) delegate(r *request, in *wire.DelegateRequest) (*wire.DelegateResponse, error) {
	if !isAgent(r.claims) {
		return nil, b.refuseNonAgent(r)
	}
	if in.DelegateTo == "" || len(in.Scope) == 0 {
		return nil, refuse(wire.CodeInvalidRequest, "delegate_to and scope are required")
	}
	if err := parseScopes(in.Scope); err != nil {
		return nil, err
	}
	if in.TTL < 0 {
		return nil, refuse(wire.CodeInvalidRequest, "ttl must not be negative, got %d", in.TTL)
	}
	ttl := b.cfg.DelegationTTL
	if in.TTL > 0 {
		ttl = time.Duration(min(in.TTL, wire.MaxTTL)) * time.Second
	}

	var claims *wire.Claims
	err := b.act(r, func(c *change) (err error) {
		claims, err = c.delegate(r.claims, in, ttl)
		return err
	})
	if err != nil {
		return nil, err
	}
	raw, err := b.signer.Sign(claims)
	return &wire.DelegateResponse{AccessToken: raw, ExpiresIn: lifetime(claims), DelegationChain: claims.DelegationChain}, err
}

func (c *change) delegate(from *wire.Claims, in *wire.DelegateRequest, ttl time.Duration) (*wire.Claims, error) {
	tok, delegator, err := c.records(from)
	if err != nil {
		return nil, err
	}
	depth := len(from.DelegationChain)
	if depth >= wire.MaxDelegationDepth {
		return nil, c.deny(bearer(from), refuse(wire.CodeScopeViolation, "delegation depth limit exceeded"),
			tokenEvent(wire.EventDelegationAttenuation, from, "delegation to %s refused: depth limit %d", quote(in.DelegateTo), wire.MaxDelegationDepth))
	}
	if !wire.Covered(in.Scope, from.Scope) {
		return nil, c.deny(bearer(from), refuse(wire.CodeScopeViolation, "delegated scope exceeds delegator scope"),
			tokenEvent(wire.EventDelegationAttenuation, from, "delegation to %s refused: %s exceeds held %s", quote(in.DelegateTo), brief(in.Scope), brief(from.Scope)))
	}
	if !c.underCeiling(tok.AppID, in.Scope) || !c.underCeiling(delegator.AppID, nil) {
		return nil, c.deny(bearer(from), refuse(wire.CodeScopeViolation, "scope exceeds the app's current ceiling"),
			tokenEvent(wire.EventDelegationAttenuation, from, "delegation to %s refused: %s exceeds the app's current ceiling", quote(in.DelegateTo), brief(in.Scope)))
	}
	if c.forbids(revocation.Chain, from.Subject) {
		return nil, c.deny(bearer(from), refuse(wire.CodeForbidden, "delegation by this agent is revoked"),
			tokenEvent(wire.EventDelegationAttenuation, from, "delegation to %s refused: the chain is revoked", quote(in.DelegateTo)))
	}
	delegate, found, err := c.tx.Agent(in.DelegateTo)
	if err != nil {
		return nil, err
	}
	if !found || !c.now.Before(delegate.ExpiresAt) || c.isRevoked(&wire.Claims{Subject: in.DelegateTo}) {
		return nil, c.deny(bearer(from), refuse(wire.CodeNotFound, "delegate agent not found"),
			tokenEvent(wire.EventDelegationAttenuation, from, "delegation refused: no agent %s", quote(in.DelegateTo)))
	}

	c.at = c.at.Add(1) // no two hops have the same time
	hop := wire.DelegationHop{Agent: from.Subject, Scope: from.Scope, DelegatedAt: c.at.Format(time.RFC3339Nano)}
	hop.Signature = hex.EncodeToString(c.b.signer.SignBytes(hop.SigningInput()))
	claims, err := c.issue(grant{kind: kindDelegated, subject: in.DelegateTo, scope: in.Scope,
		ttl: ttl, renewUntil: expiry(from), appID: tok.AppID, taskID: from.TaskID, orchID: from.OrchID,
		chain: append(slices.Clone(from.DelegationChain), hop)})
	if err != nil {
		return nil, err
	}
	c.recordScopes(wire.AuditEvent{
		EventType: wire.EventDelegationCreated, AgentID: in.DelegateTo, TaskID: from.TaskID, OrchID: from.OrchID,
		Outcome: wire.OutcomeSuccess, DelegDepth: depth + 1, DelegChainHash: claims.ChainHash,
	}, fmt.Sprintf("delegation from %s to %s scope=", from.Subject, in.DelegateTo), in.Scope, fmt.Sprintf(" depth=%d", depth+1)+delegatedBy(from))
	if !delegator.Delegated {
		delegator.Delegated = true
		if err := c.tx.UpdateAgent(delegator); err != nil {
			return nil, err
		}
		if delegate.ID == delegator.ID {
			delegate = delegator
		}
	}
	return claims, c.extend(delegate, expiry(claims))
}
