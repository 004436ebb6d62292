package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Lease is how long after its last heartbeat a replica is still considered alive.
const Lease = 3 * time.Second

const heartbeatEvery = time.Second

// A span is a time during which this replica holds its lease without a gap.
type span struct{ since, until time.Time }

// Current reports whether this replica holds its lease. While it does, no other
// replica has taken over anything.
func (c *Cluster) Current() bool {
	_, ok := c.Held()
	return ok
}

// Held returns since when this replica has held its lease without a gap, and
// whether it still does. In a gap, others may have taken over what it was doing.
func (c *Cluster) Held() (since time.Time, ok bool) {
	lease := c.lease.Load()
	return lease.since, time.Now().Before(lease.until)
}

// heartbeat extends the lease. The commit is synchronous: a crash of the database
// could otherwise undo it, and the lease would end there before it ends here.
func (c *Cluster) heartbeat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, Lease)
	defer cancel()
	sent := time.Now()
	_, err := c.pool.Exec(ctx, `INSERT INTO app.replicas VALUES ($1, clock_timestamp() + $2::interval)
		ON CONFLICT (id) DO UPDATE SET expires = excluded.expires`, c.id, Lease)
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	since, ok := c.Held()
	if !ok {
		since = time.Now()
	}
	c.lease.Store(&span{since, sent.Add(Lease)})
	return nil
}

// beat keeps the lease until ctx ends.
func (c *Cluster) beat(ctx context.Context) {
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := c.heartbeat(ctx)
		switch {
		case err == nil:
			c.received("")
		case ctx.Err() == nil && !failing:
			c.log.ErrorContext(ctx, "the database does not answer; other replicas take over this one's runs", slog.Any("error", err))
		}
		if failing && err == nil {
			c.log.InfoContext(ctx, "the database answers again")
		}
		failing = err != nil
	}
}

// leave ends the lease at once.
func (c *Cluster) leave() error {
	c.lease.Store(new(span))
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_, err := c.pool.Exec(ctx, `DELETE FROM app.replicas WHERE id = $1 OR expires < clock_timestamp() - interval '1 hour'`, c.id)
	if err != nil {
		return fmt.Errorf("leave the replicas: %w", err)
	}
	return nil
}
