package sqlitedb

import (
	"context"
	"database/sql"
	"fmt"
)

// Migrate brings the schema of db up to date. Each step is run once, in order,
// in a transaction of its own; PRAGMA user_version counts the steps that were
// run. A released step is never edited, only followed by a new one. Migrate
// fails for a database that a newer program has written.
func Migrate(ctx context.Context, db *sql.DB, steps []string) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	if version > len(steps) {
		return fmt.Errorf("the database has schema version %d, this program knows up to %d: use a newer one", version, len(steps))
	}
	for ; version < len(steps); version++ {
		if err := migrateTo(ctx, db, version+1, steps[version]); err != nil {
			return fmt.Errorf("migrate to schema version %d: %w", version+1, err)
		}
	}
	return nil
}

func migrateTo(ctx context.Context, db *sql.DB, version int, step string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // no effect once committed
	if _, err := tx.ExecContext(ctx, step); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}
