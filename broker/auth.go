package broker

import (
	"net/http"
	"strings"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// access is an endpoint's requirement on its caller.
type access struct {
	bearer bool
	scope  string // with bearer: a scope that the token must hold; "" for any token
}

var (
	open             = access{}
	anyToken         = access{bearer: true}
	needLaunchTokens = access{true, wire.ScopeAdminLaunchTokens}
	needRevoke       = access{true, wire.ScopeAdminRevoke}
	needAudit        = access{true, wire.ScopeAdminAudit}
	needAppTokens    = access{true, wire.ScopeAppLaunchTokens}
)

// authorize authenticates the caller and checks its scope. It sets r.claims, or
// records and returns a refusal. Because the token can be revoked while the
// request waits for the writer, act checks it again.
func (b *Broker) authorize(r *request, header http.Header, need access) error {
	if !need.bearer {
		return nil
	}
	values := header.Values("Authorization")
	if len(values) == 0 || values[0] == "" {
		return b.refuseBearer(r, refuse(wire.CodeUnauthorized, "missing authorization header"))
	}
	scheme, raw, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, tokenType) || raw == "" {
		return b.refuseBearer(r, refuse(wire.CodeUnauthorized, "invalid authorization scheme"))
	}
	claims, err := b.signer.Verify(raw)
	if err != nil {
		return b.refuseBearer(r, errToken)
	}
	r.claims = claims
	if err := b.current(); err != nil {
		return err
	}
	if !b.valid(claims) {
		// act finds the token invalid too, and records it, unless another broker on
		// the same database has just registered its app.
		if err := b.act(r, func(*change) error { return nil }); err != nil {
			return err
		}
	}
	if need.scope != "" && !wire.Covered([]string{need.scope}, claims.Scope) {
		return b.act(r, func(c *change) error {
			e := tokenEvent(wire.EventScopeViolation, claims, "token lacks required scope: %s", need.scope)
			e.Resource = r.path
			return c.deny(bearer(claims), refuse(wire.CodeInsufficientScope, "token lacks required scope: %s", need.scope), e)
		})
	}
	return nil
}

// refuseBearer refuses an unauthenticated caller.
func (b *Broker) refuseBearer(r *request, why *refusal) error {
	return b.deny(r, stranger(r), why, wire.AuditEvent{EventType: wire.EventTokenAuthFailed, Resource: r.path})
}

// act runs an operation with the authority of r's token, if the token is still
// valid in the writer. A revocation or renewal that came first is respected.
func (b *Broker) act(r *request, do func(*change) error) error {
	return b.write(r, func(c *change) error {
		if c.valid(r.claims) {
			return do(c)
		}
		event := wire.EventTokenAuthFailed
		if c.isRevoked(r.claims) {
			event = wire.EventTokenRevokedAccess
		}
		e := tokenEvent(event, r.claims, "token verification failed jti=%s", r.claims.ID)
		e.Resource = r.path
		return c.deny(bearer(r.claims), errToken, e)
	})
}

// valid is like [Broker.valid], including the effects of the current batch.
func (c *change) valid(claims *wire.Claims) bool {
	if !unexpired(claims, c.now) || c.isRevoked(claims) {
		return false
	}
	id, isApp := strings.CutPrefix(claims.Subject, appSubject)
	if !isApp {
		return true
	}
	_, active := c.app(id)
	return active
}

// write runs an operation in the writer.
func (b *Broker) write(r *request, do func(*change) error) error {
	return b.writer.write(r.ctx, do)
}
