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
	"github.com/devonartis/medassist-go/broker/internal/store/postgres"
	"github.com/devonartis/medassist-go/broker/internal/store/sqlite"
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

	store    store.Store
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
		revoked:  new(revocation.List),
		limits:   newLimits(),
		refusals: newRefusals(),
		logins:   newLogins(cfg.SecretCost),
	}
	if b.store, err = openStore(ctx, cfg); err != nil {
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
	if b.store.Shared() {
		err = b.loadSharedKeys()
	} else {
		b.nonces = nonce.NewSource(wire.NonceTTL * time.Second)
		b.signer, err = b.loadSigner()
	}
	if err != nil {
		return err
	}
	if b.apps, err = loadRegistry(ctx, b.store); err != nil {
		return fmt.Errorf("read apps: %w", err)
	}
	revocations, err := b.store.Revocations(ctx)
	if err != nil {
		return fmt.Errorf("read revocations: %w", err)
	}
	b.revoked.Replace(revocationList(revocations))
	if err := b.loadAuditLog(ctx); err != nil {
		return err
	}
	if err := b.loadClock(); err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	// Other brokers may have changed the database while it was read.
	changes, err := b.store.Changes(ctx)
	b.apply(changes)
	return err
}

// openStore opens the database that the configuration names.
func openStore(ctx context.Context, cfg Config) (store.Store, error) {
	if cfg.Database != "" {
		return postgres.Open(ctx, cfg.Database, cfg.DirectDatabase)
	}
	return sqlite.Open(ctx, cfg.Dir)
}

// update makes a change that is not an operation of a caller, and returns when it
// is on disk. It must be called by the writer, or before the writer runs.
func (b *Broker) update(fn func(store.Tx) error) error {
	durable, err := b.store.Update(fn)
	if err == nil && durable != nil {
		err = durable()
	}
	return err
}

// apply makes what other brokers have committed visible in memory.
func (b *Broker) apply(changes *store.Changes) {
	if changes == nil {
		return
	}
	for i := range changes.Apps {
		b.apps.put(&changes.Apps[i])
	}
	b.revoked.Merge(revocationList(changes.Revocations))
	for _, used := range changes.Nonces {
		b.nonces.Spend(nonce.Nonce(used))
	}
	b.clock.notBefore(changes.Head.At)
	b.audit.advance(changes.Head.Chain, changes.Head.At)
	b.store.Applied(changes)
}

func revocationList(stored []store.Revocation) *revocation.List {
	list := new(revocation.List)
	for _, r := range stored {
		list.Add(revocation.Entry{Kind: revocation.Kind(r.Kind), Target: r.Target, Cutoff: r.Cutoff})
	}
	return list
}

// current returns a refusal if a revocation may be unknown here.
func (b *Broker) current() error {
	if b.store.Current() {
		return nil
	}
	return errOutdated
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
	b.clock.notBefore(time.Unix(c.IssuedAt, 0)) // by another broker, whose clock may be ahead
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

// SchemaVersion returns the version of the schema "broker" of a [Config.Database]
// that this program knows.
func SchemaVersion() int { return postgres.SchemaVersion() }
