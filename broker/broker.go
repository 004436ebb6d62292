package broker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/nonce"
	"github.com/devonartis/medassist-go/broker/internal/revocation"
	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/broker/internal/token"
)

// ErrLocked is wrapped by the error of [Open] when another process, or another
// Broker in this process, is using the data folder.
var ErrLocked = store.ErrLocked

// A Broker is a running broker. It is safe for concurrent use.
type Broker struct {
	cfg     Config
	log     *slog.Logger
	clock   *clock
	started time.Time

	adminSecret string
	adminDigest [sha256.Size]byte

	store    *store.Store
	signer   *token.Signer
	nonces   *nonce.Source
	revoked  *revocation.List
	apps     *registry
	audit    auditLog
	limits   *limits
	refusals *refusals
	logins   *logins
	metrics  *metrics
	writer   *writer
	handler  http.Handler

	closing sync.Once
	closed  error
}

// Open starts a broker with the data in its folder, or with a new folder. It
// loads the data and checks the audit log. It fails when another process is
// using the folder or the configuration is invalid. It starts even if the audit
// log was modified; health then reports the modification.
func Open(ctx context.Context, cfg Config) (_ *Broker, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b := &Broker{
		cfg:      cfg,
		log:      cfg.Logger,
		clock:    newClock(cfg.Clock),
		nonces:   nonce.NewSource(wire.NonceTTL * time.Second),
		revoked:  new(revocation.List),
		limits:   newLimits(),
		refusals: newRefusals(),
		logins:   newLogins(cfg.SecretCost),
	}
	if b.store, err = store.Open(ctx, cfg.Dir); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	defer func() {
		if err != nil {
			_ = b.store.Close() // the first error counts
		}
	}()
	if err := b.load(ctx); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b.started = b.now()
	b.metrics = newMetrics(b)
	b.handler = b.routes()
	b.writer = newWriter(b)
	go b.writer.run()
	return b, nil
}

// load reads the state that the broker keeps in memory from the store.
func (b *Broker) load(ctx context.Context) (err error) {
	if b.adminSecret, err = b.loadAdminSecret(); err != nil {
		return err
	}
	b.adminDigest = sha256.Sum256([]byte(b.adminSecret))
	if b.signer, err = b.loadSigner(); err != nil {
		return err
	}
	if b.apps, err = loadRegistry(ctx, b.store); err != nil {
		return fmt.Errorf("read apps: %w", err)
	}
	revocations, err := b.store.Revocations(ctx)
	if err != nil {
		return fmt.Errorf("read revocations: %w", err)
	}
	for _, r := range revocations {
		b.revoked.Add(revocation.Entry{Kind: revocation.Kind(r.Kind), Target: r.Target, Cutoff: r.Cutoff})
	}
	if err := b.loadAuditLog(ctx); err != nil {
		return err
	}
	if err := b.loadClock(); err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	return nil
}

// now returns the time by which the broker decides.
func (b *Broker) now() time.Time { return b.clock.now() }

// Handler returns the handler of the whole protocol. A server that uses it should
// set timeouts, as Serve does.
func (b *Broker) Handler() http.Handler { return b.handler }

// AdminSecret returns the current admin secret.
func (b *Broker) AdminSecret() string { return b.adminSecret }

// Close completes the queued operations and releases the data folder. Later
// requests are answered with 503. Calling Close again has no effect.
func (b *Broker) Close() error {
	b.closing.Do(func() {
		close(b.writer.stop)
		<-b.writer.ended
		b.closed = b.store.Close()
	})
	return b.closed
}

// valid reports whether a token that this broker signed is valid now: its
// lifetime has begun and not ended, nothing revokes it, and its app, if it is an
// app's own token, is still registered.
func (b *Broker) valid(c *wire.Claims) bool {
	return unexpired(c, b.now()) && !b.revoked.Revoked(c) && b.subjectExists(c.Subject)
}

// unexpired reports whether now is within a token's lifetime. A token is expired
// at its exp, not only after it (RFC 7519 section 4.1.4).
func unexpired(c *wire.Claims, now time.Time) bool {
	return now.Unix() >= c.NotBefore && now.Unix() < c.ExpiresAt
}

func (b *Broker) subjectExists(subject string) bool {
	id, isApp := strings.CutPrefix(subject, appSubject)
	if !isApp {
		return true
	}
	_, active := b.apps.get(id)
	return active
}
