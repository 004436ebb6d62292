package broker

import (
	"slices"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/internal/random"
)

// A grant describes a token to be issued.
type grant struct {
	kind       string // for the metrics
	subject    string
	scope      []string
	ttl        time.Duration
	renewUntil time.Time // limit on the expiry of the token and its renewals; zero for none
	appID      string    // the app whose ceiling applies
	taskID     string
	orchID     string
	chain      []wire.DelegationHop
}

// issue builds a token's claims and stores the token. The caller signs it after
// the commit: until then there is nothing to return, and signing runs in
// parallel.
func (c *change) issue(g grant) (*wire.Claims, error) {
	now := c.now.Truncate(time.Second)
	expires := now.Add(min(g.ttl, c.b.cfg.MaxTTL).Truncate(time.Second))
	if !g.renewUntil.IsZero() && expires.After(g.renewUntil) {
		expires = g.renewUntil
	}
	claims := &wire.Claims{
		Issuer:          c.b.cfg.Issuer,
		Subject:         g.subject,
		Audience:        c.b.cfg.Audience,
		IssuedAt:        now.Unix(),
		NotBefore:       now.Unix(),
		ExpiresAt:       expires.Unix(),
		ID:              random.Hex(16),
		Scope:           slices.Clone(g.scope),
		TaskID:          g.taskID,
		OrchID:          g.orchID,
		DelegationChain: g.chain,
	}
	if len(g.chain) > 0 {
		claims.ChainHash = wire.HashChain(g.chain)
	}
	c.then(c.b.metrics.issued.WithLabelValues(g.kind).Inc)
	return claims, c.tx.InsertToken(store.Token{
		ID:         claims.ID,
		Subject:    claims.Subject,
		ChainHash:  claims.ChainHash,
		AppID:      g.appID,
		RenewUntil: g.renewUntil,
		ExpiresAt:  expires,
	})
}

// lifetime returns a token's lifetime in seconds, the expires_in of a new token.
func lifetime(c *wire.Claims) int { return int(c.ExpiresAt - c.IssuedAt) }

// expiry returns the time at which a token expires.
func expiry(c *wire.Claims) time.Time { return time.Unix(c.ExpiresAt, 0).UTC() }
