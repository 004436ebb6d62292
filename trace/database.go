package trace

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the "sqlite" driver
)

// ErrInUse is what [OpenStore] returns for a file that another process has.
var ErrInUse = errors.New("another process is using the runs database")

// schema is the database of version 1. A later version adds a migration and
// raises user_version.
const schema = `
CREATE TABLE run (
	id      TEXT PRIMARY KEY,
	started INTEGER NOT NULL, -- Unix nanoseconds
	open    INTEGER NOT NULL, -- 1 while the run is live
	json    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX run_started ON run (started);
CREATE INDEX run_open ON run (open) WHERE open = 1;
CREATE TABLE event (
	run_id TEXT NOT NULL,
	seq    INTEGER NOT NULL,
	json   TEXT NOT NULL,
	PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
`

const schemaVersion = 1

// database is the SQL beneath a [Store]. It uses one connection, which holds
// the file's lock for the life of the process: live runs are read from memory,
// so there is little to gain from more.
type database struct {
	sql       *sql.DB
	saveRun   *sql.Stmt
	saveEvent *sql.Stmt
}

func openDatabase(ctx context.Context, path string) (_ *database, err error) {
	dsn := ":memory:"
	if path != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("data folder: %w", err)
		}
		// SQLite gives its side files the mode of the main one.
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
		f.Close()
		dsn = (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}).String()
	}
	params := url.Values{"_pragma": {"busy_timeout(500)", "locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(NORMAL)"}}
	db := &database{}
	if db.sql, err = sql.Open("sqlite", dsn+"?"+params.Encode()); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	db.sql.SetMaxOpenConns(1)
	if err := db.migrate(ctx); err != nil {
		if strings.Contains(err.Error(), "SQLITE_BUSY") {
			return nil, fmt.Errorf("%w: %s", ErrInUse, path)
		}
		return nil, fmt.Errorf("open database: %w", err)
	}
	if db.saveRun, err = db.sql.PrepareContext(ctx, `INSERT OR REPLACE INTO run (id, started, open, json) VALUES (?, ?, ?, ?)`); err != nil {
		return nil, err
	}
	db.saveEvent, err = db.sql.PrepareContext(ctx, `INSERT OR REPLACE INTO event (run_id, seq, json) VALUES (?, ?, ?)`)
	return db, err
}

func (db *database) migrate(ctx context.Context) error {
	var version int
	if err := db.sql.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return err
	}
	switch version {
	case schemaVersion:
		return nil
	case 0:
		_, err := db.sql.ExecContext(ctx, "BEGIN IMMEDIATE;"+schema+"COMMIT;")
		return err
	default:
		return fmt.Errorf("the file is of version %d, this program knows up to %d", version, schemaVersion)
	}
}

func (db *database) Close() error { return db.sql.Close() }

// save stores rows in one commit, all or none.
func (db *database) save(rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	tx, err := db.sql.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	runs, events := tx.Stmt(db.saveRun), tx.Stmt(db.saveEvent)
	for _, r := range rows {
		switch {
		case r.event != nil:
			_, err = events.Exec(r.event.RunID, r.event.Seq, string(r.event.encoded))
		case r.run != nil:
			var b []byte
			if b, err = json.Marshal(r.run); err == nil {
				_, err = runs.Exec(r.run.ID, r.run.Started.UnixNano(), r.run.Live(), string(b))
			}
		}
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

// run finds a run; false when there is none.
func (db *database) run(ctx context.Context, id string) (Run, bool, error) {
	runs, err := collect(ctx, db, decodeRun, `SELECT json FROM run WHERE id = ?`, id)
	if err != nil || len(runs) == 0 {
		return Run{}, false, err
	}
	return runs[0], true, nil
}

// runs lists what started before a moment, newest first.
func (db *database) runs(ctx context.Context, before time.Time, limit int) ([]Run, error) {
	if before.IsZero() {
		return collect(ctx, db, decodeRun, `SELECT json FROM run ORDER BY started DESC, id DESC LIMIT ?`, limit)
	}
	return collect(ctx, db, decodeRun,
		`SELECT json FROM run WHERE started < ? ORDER BY started DESC, id DESC LIMIT ?`, before.UnixNano(), limit)
}

// openRuns lists the runs without an end.
func (db *database) openRuns(ctx context.Context) ([]Run, error) {
	return collect(ctx, db, decodeRun, `SELECT json FROM run WHERE open = 1 ORDER BY started`)
}

// events returns a run's events in order.
func (db *database) events(ctx context.Context, runID string) ([]Event, error) {
	return collect(ctx, db, decodeEvent, `SELECT json FROM event WHERE run_id = ? ORDER BY seq`, runID)
}

// collect reads a query's one column.
func collect[T any](ctx context.Context, db *database, decode func([]byte) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.sql.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, err
		}
		v, err := decode(b)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

func decodeRun(b []byte) (r Run, err error) {
	err = json.Unmarshal(b, &r)
	return r, err
}

// decodeEvent keeps the stored form, so that a replay need not make it again.
func decodeEvent(b []byte) (e Event, err error) {
	err = json.Unmarshal(b, &e)
	e.encoded = b
	return e, err
}
