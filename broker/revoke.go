package broker

import (
	"encoding/hex"
	"fmt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/revocation"
)

// revoke is POST /v1/revoke. The target need not be valid or known: an early or
// repeated revocation is recorded too.
func (b *Broker) revoke(r *request, in *wire.RevokeRequest) (*wire.RevokeResponse, error) {
	if in.Level == "" || in.Target == "" {
		return nil, refuse(wire.CodeInvalidRequest, "level and target are required")
	}
	if err := checkTarget(in.Level, in.Target); err != nil {
		return nil, err
	}
	err := b.act(r, func(c *change) error {
		event := wire.AuditEvent{EventType: wire.EventTokenRevoked, Outcome: wire.OutcomeSuccess,
			Detail: fmt.Sprintf("revoked level=%s target=%s", in.Level, in.Target)}
		var err error
		switch in.Level {
		case wire.RevokeToken:
			event.AgentID, event.DelegChainHash, err = c.revokeToken(in.Target)
		case wire.RevokeAgent:
			event.AgentID = in.Target
			err = c.revokeAgent(in.Target)
		case wire.RevokeTask:
			event.TaskID = in.Target
			err = c.revoke(revocation.Task, in.Target, 0, c.now.Add(maxTTL))
		case wire.RevokeChain:
			event.AgentID = in.Target
			err = c.revoke(revocation.Chain, in.Target, revocation.Forever, c.now.Add(maxTTL))
		}
		c.record(event)
		c.then(b.metrics.revoked.WithLabelValues(string(in.Level)).Inc)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &wire.RevokeResponse{Revoked: true, Level: in.Level, Target: in.Target, Count: 1}, nil
}

// revokeToken revokes a jti and what was delegated from the token. It returns the
// token's subject and chain hash, which are empty if the token is unknown.
func (c *change) revokeToken(jti string) (subject, chainHash string, err error) {
	tok, found, err := c.tx.Token(jti)
	if err != nil {
		return "", "", err
	}
	if !found {
		return "", "", c.revoke(revocation.Token, jti, 0, c.now.Add(maxTTL))
	}
	return tok.Subject, tok.ChainHash, c.endToken(tok)
}

// revokeAgent revokes all tokens of an agent and everything delegated from them.
// It also deletes the agent, so that nothing new can be delegated to it.
func (c *change) revokeAgent(id string) error {
	if err := c.revoke(revocation.Agent, id, 0, c.now.Add(maxTTL)); err != nil {
		return err
	}
	return c.tx.DeleteAgent(id)
}

// checkTarget rejects a target that doesn't match its level. An app or the admin
// is not an agent; revoking one as an agent would lock it out permanently.
func checkTarget(level wire.RevokeLevel, target string) error {
	switch level {
	case wire.RevokeToken:
		if raw, err := hex.DecodeString(target); err != nil || len(raw) != 16 || hex.EncodeToString(raw) != target {
			return refuse(wire.CodeInvalidRequest, "target of level token must be a jti, 32 hex digits")
		}
	case wire.RevokeAgent, wire.RevokeChain:
		if !isAgentID(target) {
			return refuse(wire.CodeInvalidRequest, "target of level %s must be an agent's SPIFFE ID", level)
		}
	case wire.RevokeTask:
		return checkPathSegment("target of level task", target)
	default:
		return refuse(wire.CodeInvalidRequest, "invalid revocation level: %s", clip(string(level)))
	}
	return nil
}
