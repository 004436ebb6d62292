package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/internal/postgres"
	"github.com/devonartis/medassist-go/internal/random"
)

// Limits on the database's answers. A statement that takes longer has failed.
const (
	closeTimeout  = 3 * time.Second
	updateTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Second // of a transaction; less than updateTimeout
	readers       = 4
)

// A Store is an open database. It implements [store.Store].
type Store struct {
	id     string          // this broker among those that use the database
	config *pgx.ConnConfig // of connections with a session
	pool   *pgxpool.Pool   // readers

	// Used by Update and Changes only.
	write   *pgx.Conn // nil after a failure
	known   int64     // version of the database that is in memory
	reading time.Time // the lease to take when the changes are applied

	flusher *flusher
	replica *replica

	end  context.CancelFunc // of the goroutines
	done sync.WaitGroup
}

// Open opens a database and creates or updates its tables. The direct URL may be
// empty; see [postgres.Parse].
func Open(ctx context.Context, url, direct string) (_ *Store, err error) {
	config, own, err := postgres.Parse(url, direct)
	if err != nil {
		return nil, err
	}
	config.MaxConns = readers
	s := &Store{id: random.Hex(8), config: own, known: -1}
	running, end := context.WithCancel(context.Background())
	s.end = end
	defer func() {
		if err != nil {
			_ = s.Close() // the first error counts
		}
	}()
	if s.write, err = s.connectWriter(ctx); err != nil {
		return nil, err
	}
	if err := postgres.Migrate(ctx, s.write, "broker", migrations); err != nil {
		return nil, err
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s.flusher = newFlusher(s.connect)
	s.replica = newReplica(s.id, s.pool, s.connect, s.flusher.check)
	s.done.Go(func() { s.flusher.run(running) })
	if err := s.replica.heartbeat(ctx); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s.done.Go(func() { s.replica.beat(running) })
	s.done.Go(func() { s.replica.listen(running) })
	return s, nil
}

func (s *Store) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, s.config.Copy())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return conn, nil
}

// connectWriter connects for Update. A process that is frozen in the middle of a
// transaction holds the lock on the head, so the database ends a transaction that
// waits for its client too long.
func (s *Store) connectWriter(ctx context.Context) (*pgx.Conn, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, fmt.Sprintf("SET idle_in_transaction_session_timeout = %d", idleTimeout.Milliseconds()))
	if err != nil {
		_ = conn.Close(ctx) // the first error counts
		return nil, fmt.Errorf("open database: %w", err)
	}
	return conn, nil
}

// Close ends this broker's lease and closes the connections.
func (s *Store) Close() error {
	s.end()
	s.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var errs []error
	if s.replica != nil {
		errs = append(errs, s.replica.leave(ctx))
	}
	if s.pool != nil {
		s.pool.Close()
	}
	if s.write != nil {
		errs = append(errs, s.write.Close(ctx))
	}
	return errors.Join(errs...)
}

// Probe implements [store.Store]. PostgreSQL fails a transaction that needs space
// which the disk does not have, and recovers by itself.
func (s *Store) Probe() error {
	durable, err := s.Update(func(tx store.Tx) error { return tx.SetMeta("probe", s.id) })
	if err != nil {
		return err
	}
	return durable()
}

// Shared implements [store.Store].
func (s *Store) Shared() bool { return true }

// Changed implements [store.Store].
func (s *Store) Changed() <-chan struct{} { return s.replica.changed }

// Current implements [store.Store].
func (s *Store) Current() bool { return s.replica.current() }

// Applied implements [store.Store].
func (s *Store) Applied(c *store.Changes) { s.replica.applied(c.Version, s.reading) }
