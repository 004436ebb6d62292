package broker

import (
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/nonce"
	"github.com/devonartis/medassist-go/broker/internal/revocation"
	"github.com/devonartis/medassist-go/broker/internal/store"
)

type revocationKind = revocation.Kind

// revocationMargin is how long a revocation is kept after everything that it
// revokes has expired.
const revocationMargin = 10 * time.Minute

// A change is a batch in progress: a transaction, and the updates that become
// visible in memory once the transaction is on disk. Operations of a batch see
// each other's effects through it; nothing else does until publish.
type change struct {
	b  *Broker
	tx store.Tx

	now time.Time // of the current operation
	at  time.Time // the same, but not before the previous event: the audit log's time

	chain   wire.Chain
	events  []wire.AuditEvent
	revoked revocation.List
	spent   map[nonce.Nonce]struct{}
	refused map[refusalKind]int // recorded in this batch
	apps    map[string]*store.App
	after   []func() // run after the commit
}

func newChange(b *Broker, tx store.Tx) *change {
	return &change{
		b:       b,
		tx:      tx,
		at:      b.audit.lastAt,
		chain:   b.audit.chain,
		spent:   make(map[nonce.Nonce]struct{}),
		refused: make(map[refusalKind]int),
		apps:    make(map[string]*store.App),
	}
}

func (c *change) run(do func(*change) error) error {
	c.now = c.b.now()
	if c.now.After(c.at) {
		c.at = c.now
	}
	return do(c)
}

// record appends an event to the audit log.
func (c *change) record(e wire.AuditEvent) {
	e = auditSafe(e)
	e.ID = store.EventID(c.chain.Size + 1)
	e.Timestamp = c.at
	e.PrevHash = c.chain.Head
	e.Hash = e.ComputeHash()
	c.chain = wire.Chain{Size: c.chain.Size + 1, Head: e.Hash}
	c.events = append(c.events, e)
}

// flush writes the batch's events.
func (c *change) flush() error {
	if len(c.events) == 0 {
		return nil
	}
	seq := c.chain.Size - int64(len(c.events))
	for _, e := range c.events {
		seq++
		if err := c.tx.AppendEvent(seq, e); err != nil {
			return err
		}
	}
	return c.tx.SetHead(store.Head{Chain: c.chain, At: c.at})
}

// publish applies the committed updates to memory.
func (c *change) publish() {
	c.b.revoked.Merge(&c.revoked)
	for n := range c.spent {
		c.b.nonces.Spend(n)
	}
	for _, a := range c.apps {
		c.b.apps.put(a)
	}
	for _, e := range c.events {
		c.b.metrics.event(e)
	}
	for _, f := range c.after {
		f()
	}
	c.b.audit.advance(c.chain, c.at)
}

// then registers a function to call after the commit.
func (c *change) then(f func()) { c.after = append(c.after, f) }

// revoke adds an entry to the revocation list. The entry is kept until every
// token that it revokes has expired.
func (c *change) revoke(kind revocation.Kind, target string, cutoff int64, until time.Time) error {
	c.revoked.Add(revocation.Entry{Kind: kind, Target: target, Cutoff: cutoff})
	return c.tx.Revoke(store.Revocation{
		Kind: string(kind), Target: target, Cutoff: cutoff,
		KeepUntil: until.Add(revocationMargin),
	})
}

// isRevoked reports whether a token is revoked, on disk or by an earlier operation
// of this batch.
func (c *change) isRevoked(claims *wire.Claims) bool {
	return c.b.revoked.Revoked(claims) || c.revoked.Revoked(claims)
}

func (c *change) forbids(kind revocation.Kind, target string) bool {
	return c.b.revoked.Forbids(kind, target) || c.revoked.Forbids(kind, target)
}

// app returns an active app.
func (c *change) app(id string) (*store.App, bool) {
	if a, ok := c.apps[id]; ok {
		return a, a.DeregisteredAt.IsZero()
	}
	return c.b.apps.get(id)
}

func (c *change) putApp(a *store.App) error {
	c.apps[a.ID] = a
	return c.tx.PutApp(*a)
}

// spendNonce marks a nonce as used. It returns false if the nonce is not genuine, has
// expired, or was used before, also in this batch.
func (c *change) spendNonce(n nonce.Nonce) (bool, error) {
	if _, spent := c.spent[n]; spent || !c.b.nonces.Valid(n, c.now) {
		return false, nil
	}
	c.spent[n] = struct{}{}
	return true, c.tx.SpendNonce(n[:], n.Expiry())
}

// underCeiling reports whether the app that granted the scopes is active and may
// still grant them. An empty appID means the admin.
func (c *change) underCeiling(appID string, scopes []string) bool {
	if appID == "" {
		return true // the admin has no ceiling
	}
	a, active := c.app(appID)
	return active && wire.Covered(scopes, a.Scopes)
}
