package records

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/devonartis/medassist-go/internal/cluster"
)

// writeLock is the advisory lock of transactions that write.
const writeLock = 7_301_664_203

// connections are this package's share of the replica's connections. Only one of
// them writes or waits for another replica's lock.
const connections = 4

// shared is a PostgreSQL database.
type shared struct {
	*sql.DB
	writer chan struct{} // holds a value while a transaction of this replica writes
}

var _ database = (*shared)(nil)

// OpenShared opens or creates the records in the database of the replicas. A new
// store is seeded, by one of them.
func OpenShared(ctx context.Context, c *cluster.Cluster, now func() time.Time) (*Store, error) {
	if err := c.Migrate(ctx, "records", sharedMigrations); err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	db := stdlib.OpenDBFromPool(c.Pool())
	db.SetMaxOpenConns(connections)
	return open(ctx, &shared{db, make(chan struct{}, 1)}, now)
}

// write implements [database]. As in SQLite, one transaction writes at a time, so
// that what it has read does not change before it commits.
func (s *shared) write(ctx context.Context, do func(*sql.Tx) error) error {
	select {
	case s.writer <- struct{}{}:
		defer func() { <-s.writer }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return transact(ctx, s.DB, nil, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "SELECT set_config('search_path', 'records', true), pg_advisory_xact_lock($1)", writeLock); err != nil {
			return err
		}
		return do(tx)
	})
}

// read implements [database].
func (s *shared) read(ctx context.Context, do func(*sql.Tx) error) error {
	return transact(ctx, s.DB, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "SET LOCAL search_path = records"); err != nil {
			return err
		}
		return do(tx)
	})
}
