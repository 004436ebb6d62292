package cluster

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// channel carries all announcements, as "ID TOPIC PAYLOAD".
const channel = "medassist_app"

// An Execer is a transaction, or a connection or a pool outside of one.
type Execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// A Queue is an [Execer] that adds statements to a batch.
type Queue struct{ Batch *pgx.Batch }

var _ Execer = Queue{}

// Exec implements [Execer].
func (q Queue) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	q.Batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// Announce tells the other replicas about a change, when the transaction commits.
// The topic must not contain a space, and the payload must not be empty.
func (c *Cluster) Announce(ctx context.Context, tx Execer, topic, payload string) error {
	_, err := tx.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, c.id+" "+topic+" "+payload)
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return nil
}

// Subscribe has f called with the payload of each announcement of another replica
// under a topic. It is called with an empty payload when some may have been missed:
// after each connection to the database, and after each heartbeat. Calls do not
// overlap; f must not block.
func (c *Cluster) Subscribe(topic string, f func(payload string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners[topic] = append(c.listeners[topic], f)
}

// received handles a notification, or the chance that some were missed.
func (c *Cluster) received(notification string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if notification == "" {
		for _, all := range c.listeners {
			for _, f := range all {
				f("")
			}
		}
		return
	}
	from, rest, _ := strings.Cut(notification, " ")
	topic, payload, _ := strings.Cut(rest, " ")
	if from == c.id || payload == "" {
		return
	}
	for _, f := range c.listeners[topic] {
		f(payload)
	}
}
