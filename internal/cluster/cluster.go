package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/devonartis/medassist-go/internal/postgres"
	"github.com/devonartis/medassist-go/internal/random"
)

const (
	connections  = 8 // at most, besides the one that listens
	closeTimeout = 3 * time.Second
	// idleTimeout is how long a transaction may wait for its client. A frozen
	// process would otherwise keep its locks, and nobody could take over its runs.
	idleTimeout = 2 * time.Second
)

// Config configures a [Cluster].
type Config struct {
	URL       string // postgres://user:password@host:port/database
	DirectURL string // leads to the database itself where URL leads to a pooler; empty means URL
	Secret    string // from which the keys for [Cluster.Seal] are derived
	Logger    *slog.Logger
}

// A Cluster is this process among the replicas that share a database. It is safe
// for concurrent use.
type Cluster struct {
	id     string
	secret string
	log    *slog.Logger
	pool   *pgxpool.Pool
	direct *pgx.ConnConfig
	lease  atomic.Pointer[span]

	mu        sync.Mutex
	listeners map[string][]func(payload string) // by topic

	end  context.CancelFunc // of the goroutines
	done sync.WaitGroup
}

var migrations = []string{
	`CREATE TABLE app.replicas (
		id      TEXT PRIMARY KEY,
		expires TIMESTAMPTZ NOT NULL
	);
	CREATE VIEW app.live_replicas AS SELECT id FROM app.replicas WHERE expires > clock_timestamp();

	CREATE TABLE app.shared_values (
		name    TEXT PRIMARY KEY,
		version BIGINT NOT NULL,
		value   BYTEA NOT NULL
	);`,
}

// Open joins the replicas of a database and creates or updates the tables of this
// package. Errors do not contain the URL.
func Open(ctx context.Context, cfg Config) (_ *Cluster, err error) {
	if cfg.Secret == "" {
		return nil, errors.New("replicas need a secret in common")
	}
	pooled, direct, err := postgres.Parse(cfg.URL, cfg.DirectURL)
	if err != nil {
		return nil, err
	}
	pooled.MaxConns = connections
	pooled.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, fmt.Sprintf("SET idle_in_transaction_session_timeout = %d", idleTimeout.Milliseconds()))
		return err
	}
	c := &Cluster{id: random.Hex(8), secret: cfg.Secret, log: cfg.Logger, direct: direct, listeners: make(map[string][]func(string))}
	c.lease.Store(new(span))
	running, end := context.WithCancel(context.Background())
	c.end = end
	defer func() {
		if err != nil {
			_ = c.Close() // the first error counts
		}
	}()
	if c.pool, err = pgxpool.NewWithConfig(ctx, pooled); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := c.Migrate(ctx, "app", migrations); err != nil {
		return nil, err
	}
	if err := c.heartbeat(ctx); err != nil {
		return nil, err
	}
	c.done.Go(func() { c.beat(running) })
	c.done.Go(func() {
		postgres.Listen(running, func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, c.direct.Copy()) }, channel, c.received)
	})
	return c, nil
}

// Close ends the lease and closes the connections. Other replicas take over what is
// still going on here.
func (c *Cluster) Close() error {
	c.end()
	c.done.Wait()
	if c.pool == nil {
		return nil
	}
	defer c.pool.Close()
	return c.leave()
}

// ID returns the name of this process among the replicas. Each start has a new one.
func (c *Cluster) ID() string { return c.id }

// Pool returns connections to the database.
func (c *Cluster) Pool() *pgxpool.Pool { return c.pool }

// Migrate brings a schema of the database up to date; see [postgres.Migrate].
func (c *Cluster) Migrate(ctx context.Context, schema string, steps []string) error {
	return postgres.Migrate(ctx, c.pool, schema, steps)
}

// SchemaVersion returns the version of the schema app that this program knows.
func SchemaVersion() int { return len(migrations) }
