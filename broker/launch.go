package broker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/internal/random"
)

const (
	launchTokenBytes = 32
	maxAgentName     = 512 // bytes
)

// adminLaunchToken is POST /v1/admin/launch-tokens.
func (b *Broker) adminLaunchToken(r *request, in *wire.LaunchTokenRequest) (*wire.LaunchTokenResponse, error) {
	if err := checkLaunchToken(in); err != nil {
		return nil, err
	}
	if err := refuseReserved(in.AllowedScope); err != nil {
		return nil, err
	}
	return b.launchToken(r, in, "")
}

// appLaunchToken is POST /v1/app/launch-tokens. Reserved scopes need no separate
// check, because no ceiling contains one.
func (b *Broker) appLaunchToken(r *request, in *wire.LaunchTokenRequest) (*wire.LaunchTokenResponse, error) {
	appID, isApp := strings.CutPrefix(r.claims.Subject, appSubject)
	if !isApp {
		return nil, refuse(wire.CodeForbidden, "only an app's own token can issue launch tokens within its ceiling")
	}
	if err := checkLaunchToken(in); err != nil {
		return nil, err
	}
	return b.launchToken(r, in, appID)
}

func checkLaunchToken(in *wire.LaunchTokenRequest) error {
	if in.AgentName == "" {
		return refuse(wire.CodeInvalidRequest, "agent_name is required")
	}
	if len(in.AgentName) > maxAgentName {
		return refuse(wire.CodeInvalidRequest, "agent_name is longer than %d bytes", maxAgentName)
	}
	if len(in.AllowedScope) == 0 {
		return refuse(wire.CodeInvalidRequest, "allowed_scope must not be empty")
	}
	if err := parseScopes(in.AllowedScope); err != nil {
		return err
	}
	if err := checkTTL("max_ttl", in.MaxTTL); err != nil {
		return err
	}
	return checkTTL("ttl", in.TTL)
}

func checkTTL(field string, seconds *int) error {
	if seconds != nil && (*seconds < 0 || *seconds > wire.MaxTTL) {
		return refuse(wire.CodeInvalidRequest, "%s must be between 0 and %d seconds, got %d", field, wire.MaxTTL, *seconds)
	}
	return nil
}

// orDefault returns a requested duration in seconds, or the fallback if there is
// none or it is zero.
func orDefault(seconds *int, fallback time.Duration) time.Duration {
	if seconds == nil || *seconds == 0 {
		return fallback
	}
	return time.Duration(*seconds) * time.Second
}

// launchToken issues a launch token for an app, or for the admin if appID is
// empty.
func (b *Broker) launchToken(r *request, in *wire.LaunchTokenRequest, appID string) (*wire.LaunchTokenResponse, error) {
	secret := random.Hex(launchTokenBytes)
	l := store.LaunchToken{
		Hash:      hashLaunchToken(secret),
		AppID:     appID,
		AgentName: in.AgentName,
		Scope:     in.AllowedScope,
		MaxTTL:    min(orDefault(in.MaxTTL, b.cfg.AgentTTL), b.cfg.MaxTTL),
		SingleUse: in.SingleUse == nil || *in.SingleUse,
	}
	err := b.act(r, func(c *change) error {
		if !c.underCeiling(appID, l.Scope) {
			app, _ := c.app(appID)
			return c.deny(bearer(r.claims),
				refuse(wire.CodeForbidden, "requested scopes exceed app ceiling; allowed: %s", list(app.Scopes)),
				wire.AuditEvent{EventType: wire.EventScopeCeilingExceeded, AgentID: r.claims.Subject,
					Detail: fmt.Sprintf("launch token for %s: requested %s exceeds ceiling %s", quote(l.AgentName), brief(l.Scope), brief(app.Scopes))})
		}
		l.ExpiresAt = c.now.Add(orDefault(in.TTL, b.cfg.LaunchTokenTTL))
		c.recordScopes(wire.AuditEvent{EventType: wire.EventLaunchTokenIssued, AgentID: r.claims.Subject, Outcome: wire.OutcomeSuccess},
			"launch token for "+quote(l.AgentName)+" allowed=", l.Scope, fmt.Sprintf(" max_ttl=%d single_use=%t", int(l.MaxTTL/time.Second), l.SingleUse))
		c.then(b.metrics.launchTokens.Inc)
		return c.tx.InsertLaunchToken(l)
	})
	if err != nil {
		return nil, err
	}
	return &wire.LaunchTokenResponse{
		LaunchToken: secret,
		ExpiresAt:   l.ExpiresAt,
		Policy:      wire.LaunchTokenPolicy{AllowedScope: l.Scope, MaxTTL: int(l.MaxTTL / time.Second)},
	}, nil
}

// hashLaunchToken returns the stored form of a launch token. The token has enough
// entropy to need no salt, and the hash can't be used as a token.
func hashLaunchToken(secret string) [sha256.Size]byte {
	raw, err := hex.DecodeString(secret)
	if err != nil || len(raw) != launchTokenBytes || hex.EncodeToString(raw) != secret {
		return [sha256.Size]byte{} // matches no launch token
	}
	return sha256.Sum256(raw)
}

// findLaunchToken returns a usable launch token, or a refusal if there is none.
func (c *change) findLaunchToken(secret string) (store.LaunchToken, error) {
	l, found, err := c.tx.LaunchToken(hashLaunchToken(secret))
	switch {
	case err != nil:
		return l, err
	case !found:
		return l, refuse(wire.CodeUnauthorized, "launch token: launch token not found")
	case l.Spent:
		return l, refuse(wire.CodeUnauthorized, "launch token: launch token already consumed")
	case !c.now.Before(l.ExpiresAt):
		return l, refuse(wire.CodeUnauthorized, "launch token: launch token expired")
	}
	if l.AppID != "" {
		if _, active := c.app(l.AppID); !active {
			return l, refuse(wire.CodeUnauthorized, "launch token: its app is no longer registered")
		}
	}
	return l, nil
}
