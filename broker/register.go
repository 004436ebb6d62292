package broker

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/nonce"
	"github.com/devonartis/medassist-go/broker/internal/revocation"
	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/internal/random"
)

// maxPathSegment is the maximum length of orch_id and task_id, in bytes.
const maxPathSegment = 128

// challenge is GET /v1/challenge.
func (b *Broker) challenge(*request, *none) (*wire.Challenge, error) {
	return &wire.Challenge{Nonce: b.nonces.New(b.now()), ExpiresIn: wire.NonceTTL}, nil
}

// register is POST /v1/register.
func (b *Broker) register(r *request, in *wire.RegisterRequest) (*wire.RegisterResponse, error) {
	if in.LaunchToken == "" || in.Nonce == "" || in.PublicKey == "" || in.Signature == "" ||
		in.OrchID == "" || in.TaskID == "" || len(in.RequestedScope) == 0 {
		return nil, refuse(wire.CodeInvalidRequest, "missing required field")
	}
	if err := parseScopes(in.RequestedScope); err != nil {
		return nil, err
	}
	if err := checkPathSegment("orch_id", in.OrchID); err != nil {
		return nil, err
	}
	if err := checkPathSegment("task_id", in.TaskID); err != nil {
		return nil, err
	}
	agentID, err := b.newAgentID(in.OrchID, in.TaskID)
	if err != nil {
		return nil, err
	}
	// Checking the proof is expensive and needs no order, so it happens here and
	// not in the writer. The result is used below, in the documented order.
	challenge, wellFormed := nonce.Parse(in.Nonce)
	key, badProof := checkProof(in.PublicKey, in.Signature, challenge)

	var claims *wire.Claims
	err = b.write(r, func(c *change) error {
		l, err := c.findLaunchToken(in.LaunchToken)
		if why, refused := asRefusal(err); refused {
			// Without a launch token the names are only claimed.
			c.then(b.metrics.registrations.WithLabelValues(failure).Inc)
			return c.deny(stranger(r), why, wire.AuditEvent{EventType: wire.EventLaunchTokenDenied,
				Detail: fmt.Sprintf("%s claimed_task_id=%s claimed_orch_id=%s", why.detail, quote(in.TaskID), quote(in.OrchID))})
		}
		if err != nil {
			return err
		}
		denied := func(why *refusal, detail string) error {
			c.then(b.metrics.registrations.WithLabelValues(failure).Inc)
			return c.deny(holder(l), why,
				wire.AuditEvent{EventType: wire.EventRegistrationViolation, TaskID: in.TaskID, OrchID: in.OrchID, Detail: detail})
		}
		if !wire.Covered(in.RequestedScope, l.Scope) || !c.underCeiling(l.AppID, in.RequestedScope) {
			return denied(refuse(wire.CodeScopeViolation, "requested scope exceeds allowed scope"),
				fmt.Sprintf("scope violation: requested %s exceeds allowed %s", brief(in.RequestedScope), brief(c.allowed(l))))
		}
		if c.forbids(revocation.Task, in.TaskID) {
			return denied(refuse(wire.CodeForbidden, "task %s is revoked", in.TaskID), "")
		}
		fresh := false
		if wellFormed {
			if fresh, err = c.spendNonce(challenge); err != nil {
				return err
			}
		}
		if !fresh {
			return denied(refuse(wire.CodeUnauthorized, "nonce is unknown, expired or already used"), "")
		}
		if badProof != nil {
			return denied(badProof, "")
		}
		claims, err = c.admit(in, l, agentID, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	raw, err := b.signer.Sign(claims)
	return &wire.RegisterResponse{AgentID: agentID, AccessToken: raw, ExpiresIn: lifetime(claims)}, err
}

// admit registers an agent that passed all checks and issues its token.
func (c *change) admit(in *wire.RegisterRequest, l store.LaunchToken, agentID string, key ed25519.PublicKey) (*wire.Claims, error) {
	if l.SingleUse {
		if err := c.tx.SpendLaunchToken(l.Hash); err != nil {
			return nil, err
		}
	}
	claims, err := c.issue(grant{kind: kindAgent, subject: agentID, scope: in.RequestedScope, ttl: l.MaxTTL,
		appID: l.AppID, taskID: in.TaskID, orchID: in.OrchID})
	if err != nil {
		return nil, err
	}
	event := wire.AuditEvent{AgentID: agentID, TaskID: in.TaskID, OrchID: in.OrchID, Outcome: wire.OutcomeSuccess}
	event.EventType = wire.EventAgentRegistered
	c.recordScopes(event, "agent "+quote(l.AgentName)+" registered scope=", in.RequestedScope, "")
	event.EventType = wire.EventTokenIssued
	event.Detail = fmt.Sprintf("token issued jti=%s ttl=%d", claims.ID, lifetime(claims))
	c.record(event)
	c.then(c.b.metrics.registrations.WithLabelValues(success).Inc)
	return claims, c.tx.InsertAgent(store.Agent{
		ID: agentID, AppID: l.AppID, Name: l.AgentName, PublicKey: key, ExpiresAt: expiry(claims),
	})
}

// allowed is what a launch token lets register now: its own scope, less what its
// app's ceiling no longer holds.
func (c *change) allowed(l store.LaunchToken) []string {
	if l.AppID == "" {
		return l.Scope
	}
	var within []string
	for _, s := range l.Scope {
		if c.underCeiling(l.AppID, []string{s}) {
			within = append(within, s)
		}
	}
	return within
}

// checkProof checks that the caller holds the private key: its signature over
// the nonce. The key comes back even when the signature is bad.
func checkProof(publicKey, signature string, challenge nonce.Nonce) (ed25519.PublicKey, *refusal) {
	key, err := base64.StdEncoding.DecodeString(publicKey)
	switch {
	case err != nil:
		return nil, refuse(wire.CodeUnauthorized, "invalid Ed25519 public key: not base64")
	case len(key) != ed25519.PublicKeySize:
		return nil, refuse(wire.CodeUnauthorized, "invalid Ed25519 public key: wrong key size")
	case isSmallOrder(key):
		return nil, refuse(wire.CodeUnauthorized, "invalid Ed25519 public key: small order")
	}
	sig, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || len(sig) != ed25519.SignatureSize || !ed25519.Verify(key, challenge[:], sig) {
		return key, refuse(wire.CodeUnauthorized, "nonce signature verification failed")
	}
	return key, nil
}

// checkPathSegment checks that a value is valid as a path segment of a SPIFFE ID.
func checkPathSegment(field, value string) error {
	if len(value) > maxPathSegment || spiffeid.ValidatePathSegment(value) != nil {
		return refuse(wire.CodeInvalidRequest, "%s must be 1 to %d letters, digits and . _ -, valid in a SPIFFE ID", field, maxPathSegment)
	}
	return nil
}

func (b *Broker) newAgentID(orchID, taskID string) (string, error) {
	domain, err := spiffeid.TrustDomainFromString(b.cfg.TrustDomain)
	if err != nil {
		return "", fmt.Errorf("trust domain: %w", err)
	}
	id, err := spiffeid.FromSegments(domain, "agent", orchID, taskID, random.Hex(8))
	if err != nil {
		return "", refuse(wire.CodeInvalidRequest, "orch_id and task_id do not form a SPIFFE ID")
	}
	return id.String(), nil
}

// isAgentID reports whether a string has the form of an agent's SPIFFE ID.
func isAgentID(s string) bool {
	id, err := spiffeid.FromString(s)
	if err != nil {
		return false
	}
	parts := strings.Split(id.Path(), "/") // "", agent, orch, task, instance
	return len(parts) == 5 && parts[1] == "agent"
}
