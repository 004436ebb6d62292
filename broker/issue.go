package broker

import (
	"slices"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/store"
)

// grant is what a token is to be issued for.
type grant struct {
	kind       string // for the metrics
	subject    string
	scope      []string
	ttl        time.Duration
	renewUntil time.Time // the token, and what renews it, ends by then; zero for no limit
	appID      string    // whose ceiling the scope falls under
	taskID     string
	orchID     string
	chain      []wire.DelegationHop
}

// issue decides a token's claims and records the token. It is signed by the
// caller after the commit: until then there is nothing to hand out, and two
// processors can sign at once.
func (c *change) issue(g grant) (*wire.Claims, error) {
	now := c.now.Truncate(time.Second)
	expires := now.Add(g.ttl.Truncate(time.Second))
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
		ID:              randomHex(16),
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
		AppID:      g.appID,
		RenewUntil: g.renewUntil,
		ExpiresAt:  expires,
	})
}

// lifetime is what expires_in says of a token that was just issued, in seconds.
func lifetime(c *wire.Claims) int { return int(c.ExpiresAt - c.IssuedAt) }

// expiry is when a token ends.
func expiry(c *wire.Claims) time.Time { return time.Unix(c.ExpiresAt, 0).UTC() }
