// Package postgres holds what all users of a PostgreSQL database need: schemas
// that are brought up to date, and notifications that survive a lost connection.
package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// schemaLock is the advisory lock for changes of any schema.
const schemaLock = 7_301_664_201

// Beginner is a connection or a pool of them.
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Migrate brings a schema up to date, one step after the other in one
// transaction. Programs that start at the same time wait for each other. A released
// step is never edited, only followed by a new one. It fails for a schema that a
// newer program has written.
func Migrate(ctx context.Context, db Beginner, schema string, steps []string) error {
	if err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error { return migrate(ctx, tx, schema, steps) }); err != nil {
		return fmt.Errorf("database schema %s: %w", schema, err)
	}
	return nil
}

func migrate(ctx context.Context, tx pgx.Tx, schema string, steps []string) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, schemaLock); err != nil {
		return err
	}
	if err := create(ctx, tx, schema); err != nil {
		return err
	}
	var version int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM `+schema+`.migrations`).Scan(&version); err != nil {
		return err
	}
	if version > len(steps) {
		return fmt.Errorf("the database has schema version %d, written by a newer version of this program; this one knows %d", version, len(steps))
	}
	for i := version; i < len(steps); i++ {
		if _, err := tx.Exec(ctx, steps[i]); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO `+schema+`.migrations VALUES ($1)`, i+1); err != nil {
			return err
		}
	}
	return nil
}

// create creates a schema with the table of its steps, unless they exist. A program
// that may not create schemas can use one that exists.
func create(ctx context.Context, tx pgx.Tx, schema string) error {
	for _, object := range []struct{ exists, create string }{
		{`SELECT to_regnamespace($1) IS NOT NULL`, `CREATE SCHEMA ` + schema},
		{`SELECT to_regclass($1 || '.migrations') IS NOT NULL`, `CREATE TABLE ` + schema + `.migrations (step INTEGER PRIMARY KEY)`},
	} {
		var exists bool
		if err := tx.QueryRow(ctx, object.exists, schema).Scan(&exists); err != nil {
			return err
		}
		if exists {
			continue
		}
		if _, err := tx.Exec(ctx, object.create); err != nil {
			return err
		}
	}
	return nil
}

// Version returns the number of steps that a schema has taken, 0 if there is no
// such schema.
func Version(ctx context.Context, conn *pgx.Conn, schema string) (version int, err error) {
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass($1 || '.migrations') IS NOT NULL`, schema).Scan(&exists); err != nil || !exists {
		return 0, err
	}
	err = conn.QueryRow(ctx, `SELECT count(*) FROM `+schema+`.migrations`).Scan(&version)
	return version, err
}
