package broker

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"runtime"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/internal/limit"
	"github.com/devonartis/medassist-go/internal/random"
)

// adminSubject is the sub claim of the admin's tokens.
const adminSubject = "admin"

var (
	adminScopes = []string{wire.ScopeAdminLaunchTokens, wire.ScopeAdminRevoke, wire.ScopeAdminAudit}
	appScopes   = []string{wire.ScopeAppLaunchTokens, wire.ScopeAppAgents, wire.ScopeAppAuditRead}
)

const tokenType = "Bearer"

// maxClientID bounds a client ID in bytes; ours are shorter.
const maxClientID = 128

// logins bounds the number of concurrent bcrypt computations, and makes a login
// of an unknown client take the same time as one of a known client. Unknown
// clients share one computation at a time, so they never occupy all slots.
type logins struct {
	slots   chan struct{} // at least two
	unknown chan struct{} // held besides a slot
	dummy   []byte        // hash of a random secret, compared for unknown clients
}

func newLogins(cost int) *logins {
	dummy, err := bcrypt.GenerateFromPassword([]byte(random.Hex(32)), cost)
	if err != nil {
		panic("broker: bcrypt of 64 bytes: " + err.Error())
	}
	return &logins{make(chan struct{}, max(2, runtime.NumCPU())), make(chan struct{}, 1), dummy}
}

// do runs a bcrypt computation when the lanes, in this order, have a free place.
func (l *logins) do(ctx context.Context, f func(), lanes ...chan struct{}) error {
	busy := &refusal{code: wire.CodeUnavailable, detail: "too many logins at once", retryAfter: time.Second}
	wait, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, lane := range lanes {
		select {
		case lane <- struct{}{}:
			defer func() { <-lane }()
		case <-wait.Done():
			return busy
		}
	}
	if ctx.Err() != nil { // a caller that has left costs no comparison
		return busy
	}
	f()
	return nil
}

// check reports whether secret is the secret of app a. A nil app matches no
// secret, in the same time.
func (l *logins) check(ctx context.Context, a *store.App, secret string) (ok bool, err error) {
	hash, lanes := l.dummy, []chan struct{}{l.unknown, l.slots}
	if a != nil {
		hash, lanes = a.SecretHash, []chan struct{}{l.slots}
	}
	if len(secret) > clientSecretBytes*2 { // bcrypt sees 72 bytes only
		hash, secret = l.dummy, ""
	}
	err = l.do(ctx, func() { ok = bcrypt.CompareHashAndPassword(hash, []byte(secret)) == nil }, lanes...)
	return ok && a != nil, err
}

// adminAuth is POST /v1/admin/auth.
func (b *Broker) adminAuth(r *request, in *wire.AdminAuthRequest) (*wire.AuthResponse, error) {
	if in.Secret == "" {
		return nil, refuse(wire.CodeInvalidRequest, "secret is required")
	}
	if !b.limits.admin.Allow(byAddress(r.addr), b.now()) {
		return nil, b.deny(r, stranger(r), rateLimited(adminRetryAfter),
			wire.AuditEvent{EventType: wire.EventAdminAuthFailed, Detail: "admin logins rate limited for " + r.addr.String()})
	}
	given := sha256.Sum256([]byte(in.Secret))
	if subtle.ConstantTimeCompare(given[:], b.adminDigest[:]) != 1 {
		b.metrics.adminAuth.WithLabelValues(failure).Inc()
		return nil, b.deny(r, stranger(r), refuse(wire.CodeUnauthorized, "invalid credentials"),
			wire.AuditEvent{EventType: wire.EventAdminAuthFailed, Detail: "invalid admin secret from " + r.addr.String()})
	}
	var claims *wire.Claims
	err := b.write(r, func(c *change) (err error) {
		claims, err = c.issue(grant{subject: adminSubject, scope: adminScopes, ttl: b.cfg.AdminTokenTTL, kind: kindAdmin})
		c.record(wire.AuditEvent{EventType: wire.EventAdminAuth, AgentID: adminSubject, Outcome: wire.OutcomeSuccess,
			Detail: "admin authenticated from " + r.addr.String()})
		c.then(b.metrics.adminAuth.WithLabelValues(success).Inc)
		return err
	})
	if err != nil {
		return nil, err
	}
	raw, err := b.signer.Sign(claims)
	return &wire.AuthResponse{AccessToken: raw, ExpiresIn: lifetime(claims), TokenType: tokenType}, err
}

// appAuth is POST /v1/app/auth.
func (b *Broker) appAuth(r *request, in *wire.AppAuthRequest) (*wire.AuthResponse, error) {
	key := limit.Key{Addr: r.addr}
	if len(in.ClientID) <= maxClientID {
		key.Client = in.ClientID
	}
	app, registered := b.apps.client(key.Client)
	if !b.limits.allowApp(key, registered, b.now()) {
		return nil, b.deny(r, stranger(r), rateLimited(appRetryAfter), wire.AuditEvent{EventType: wire.EventAppRateLimited,
			Detail: "app logins rate limited for " + r.addr.String() + claimedClient(key.Client)})
	}
	if in.ClientID == "" || in.ClientSecret == "" {
		return nil, refuse(wire.CodeInvalidRequest, "client_id and client_secret are required")
	}

	matches, err := b.logins.check(r.ctx, app, in.ClientSecret)
	if err != nil {
		return nil, err
	}
	if !matches {
		return nil, b.deny(r, stranger(r), errLogin, loginFailed(r, key.Client))
	}
	var claims *wire.Claims
	err = b.write(r, func(c *change) error {
		current, active := c.app(app.ID)
		if !active {
			return c.deny(stranger(r), errLogin, loginFailed(r, key.Client))
		}
		var err error
		claims, err = c.issue(grant{subject: appSubject + app.ID, scope: appScopes, ttl: current.TokenTTL, kind: kindApp})
		c.record(appEvent(wire.EventAppAuthenticated, current, "authenticated from %s", r.addr))
		return err
	})
	if err != nil {
		return nil, err
	}
	raw, err := b.signer.Sign(claims)
	return &wire.AuthResponse{AccessToken: raw, ExpiresIn: lifetime(claims), TokenType: tokenType, Scopes: appScopes}, err
}

var errLogin = refuse(wire.CodeUnauthorized, "Authentication failed")

func loginFailed(r *request, clientID string) wire.AuditEvent {
	return wire.AuditEvent{EventType: wire.EventAppAuthFailed, Detail: "app login failed from " + r.addr.String() + claimedClient(clientID)}
}

// claimedClient names the client ID of a refused login, which is not proven.
func claimedClient(id string) string { return " claimed_client_id=" + quote(id) }
