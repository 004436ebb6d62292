package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/devonartis/medassist-go/internal/postgres"
)

const (
	lease          = 3 * time.Second
	heartbeatEvery = time.Second
	recheckEvery   = 100 * time.Millisecond // while waiting for other brokers
)

// channel is where brokers tell each other the version that they have committed
// ("committed ID VERSION") or applied ("applied ID VERSION").
const channel = "medassist_broker"

// A replica is this broker among those that share the database.
//
// Its lease is counted from before the heartbeat was sent, by the monotonic clock,
// so it ends here before it ends in the database.
type replica struct {
	id      string
	pool    *pgxpool.Pool
	connect postgres.Connect
	ready   func(context.Context) error // makes sure that commits can be confirmed
	changed chan struct{}               // receives after another broker's commit and each heartbeat

	offered atomic.Pointer[time.Time] // end of the lease that the database has granted
	held    atomic.Pointer[time.Time] // end of the lease that is in use
	apply   chan int64                // the last applied version, to be told to the others

	mu   sync.Mutex
	news chan struct{} // closed when another broker has applied something
}

func newReplica(id string, pool *pgxpool.Pool, connect postgres.Connect, ready func(context.Context) error) *replica {
	r := &replica{id: id, pool: pool, connect: connect, ready: ready, changed: make(chan struct{}, 1), apply: make(chan int64, 1), news: make(chan struct{})}
	r.offered.Store(new(time.Time))
	r.held.Store(new(time.Time))
	return r
}

// heartbeat extends the lease in the database. The commit is synchronous: a lease
// that a crash of the database takes back would end there before it ends here. There
// is no lease while commits can't be confirmed.
func (r *replica) heartbeat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	end := time.Now().Add(lease)
	if err := r.ready(ctx); err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	_, err := r.pool.Exec(ctx, `INSERT INTO broker.replicas VALUES ($1, clock_timestamp() + $2::interval, -1)
		ON CONFLICT (id) DO UPDATE SET expires = excluded.expires`, r.id, lease)
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	r.offered.Store(&end)
	return nil
}

// beat keeps the lease and tells the other brokers what is applied here.
func (r *replica) beat(ctx context.Context) {
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case version := <-r.apply:
			r.tell(ctx, version)
		case <-tick.C:
			// Without a heartbeat the lease ends, as it should.
			if r.heartbeat(ctx) == nil {
				r.poke()
			}
		}
	}
}

// tell stores and announces that a version is applied. If it fails the next one
// tells more, and until then the others wait for the end of the lease.
func (r *replica) tell(ctx context.Context, version int64) {
	ctx, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	var batch pgx.Batch
	batch.Queue(`UPDATE broker.replicas SET seen = $2 WHERE id = $1`, r.id, version)
	batch.Queue(`SELECT pg_notify($1, $2)`, channel, fmt.Sprintf("applied %s %d", r.id, version))
	_ = r.pool.SendBatch(ctx, &batch).Close()
}

// applied notes that a version is in memory, and takes the lease that was offered
// before it was read.
func (r *replica) applied(version int64, end time.Time) {
	r.held.Store(&end)
	for {
		select {
		case r.apply <- version:
			return
		default:
		}
		select {
		case <-r.apply: // an earlier version
		default:
		}
	}
}

// current reports whether this broker holds its lease.
func (r *replica) current() bool { return time.Now().Before(*r.held.Load()) }

func (r *replica) poke() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// listen waits for announcements until ctx ends. One that is lost while the
// connection is down is replaced by the next heartbeat.
func (r *replica) listen(ctx context.Context) {
	postgres.Listen(ctx, r.connect, channel, func(payload string) {
		switch kind, rest, _ := strings.Cut(payload, " "); {
		case strings.HasPrefix(rest, r.id+" "):
		case kind == "committed", kind == "":
			r.poke()
		case kind == "applied":
			r.mu.Lock()
			close(r.news)
			r.news = make(chan struct{})
			r.mu.Unlock()
		}
	})
}

// barrier returns when every other broker that holds a lease has applied a
// version.
func (r *replica) barrier(version int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*lease)
	defer cancel()
	for {
		r.mu.Lock()
		news := r.news
		r.mu.Unlock()
		var waiting int
		err := r.pool.QueryRow(ctx, `SELECT count(*) FROM broker.replicas
			WHERE id <> $1 AND seen < $2 AND expires > clock_timestamp()`, r.id, version).Scan(&waiting)
		if err != nil {
			return fmt.Errorf("wait for the other brokers: %w", err)
		}
		if waiting == 0 {
			return nil
		}
		select {
		case <-news:
		case <-time.After(recheckEvery):
		case <-ctx.Done():
			return fmt.Errorf("wait for the other brokers: %w", ctx.Err())
		}
	}
}

// leave ends the lease. Nothing may be answered from memory afterwards.
func (r *replica) leave(ctx context.Context) error {
	r.held.Store(new(time.Time))
	_, err := r.pool.Exec(ctx, `DELETE FROM broker.replicas WHERE id = $1 OR expires < clock_timestamp() - interval '1 hour'`, r.id)
	if err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}

// announce is the payload of a commit.
func announce(id string, version int64) string {
	return "committed " + id + " " + strconv.FormatInt(version, 10)
}
