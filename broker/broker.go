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
// Broker in this one, has the data folder.
var ErrLocked = store.ErrLocked

// Broker is a running broker. All of it is safe for concurrent use.
type Broker struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	started time.Time

	adminSecret string
	adminDigest [sha256.Size]byte

	store   *store.Store
	signer  *token.Signer
	nonces  *nonce.Source
	revoked *revocation.List
	apps    *registry
	trail   trail
	limits  *limits
	logins  *logins
	metrics *metrics
	writer  *writer
	handler http.Handler

	closing sync.Once
	closed  error
}

// Open starts a broker from its data folder, or a new one. It reads what is
// there, checks the audit trail, and fails when another process has the folder
// or the configuration is not usable. A trail that was tampered with does not
// keep it from starting; health says so.
func Open(ctx context.Context, cfg Config) (_ *Broker, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b := &Broker{
		cfg:     cfg,
		log:     cfg.Logger,
		now:     func() time.Time { return cfg.Clock().UTC() },
		nonces:  nonce.NewSource(wire.NonceTTL * time.Second),
		revoked: new(revocation.List),
		limits:  newLimits(),
		logins:  newLogins(),
	}
	b.started = b.now()
	if b.store, err = store.Open(ctx, cfg.Dir); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	defer func() {
		if err != nil {
			b.store.Close()
		}
	}()
	if err := b.load(ctx); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b.metrics = newMetrics(b)
	b.handler = b.routes()
	b.writer = newWriter(b)
	go b.writer.run()
	return b, nil
}

// load brings what the broker keeps in memory back from the store.
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
	return b.loadTrail(ctx)
}

// Handler serves the whole protocol. A server around it should set timeouts, as
// Serve does.
func (b *Broker) Handler() http.Handler { return b.handler }

// AdminSecret is the admin secret in force.
func (b *Broker) AdminSecret() string { return b.adminSecret }

// Close carries out what was already asked for, and gives the data folder free.
// Requests that come later are answered with 503. Closing again does nothing.
func (b *Broker) Close() error {
	b.closing.Do(func() {
		close(b.writer.stop)
		<-b.writer.ended
		b.closed = b.store.Close()
	})
	return b.closed
}

// alive reports whether a token that this broker signed holds now: its time has
// come and is not over, nothing revokes it, and its app, if it is one's own, is
// still registered.
func (b *Broker) alive(c *wire.Claims) bool {
	return inTime(c, b.now()) && !b.revoked.Revoked(c) && b.subjectExists(c.Subject)
}

// inTime: RFC 7519 section 4.1.4 has a token dead at its exp, not after it.
func inTime(c *wire.Claims, now time.Time) bool {
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
