package trace

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/devonartis/medassist-go/internal/sqlitedb"
)

// migrations build the schema. Released ones are never edited, only appended to.
// Times are Unix nanoseconds; open is 1 while the run is live.
var migrations = []string{`
	CREATE TABLE run (
		id      TEXT PRIMARY KEY,
		started INTEGER NOT NULL,
		open    INTEGER NOT NULL,
		json    TEXT NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE INDEX run_started ON run (started);
	CREATE INDEX run_open ON run (open) WHERE open = 1;

	CREATE TABLE event (
		run_id TEXT NOT NULL,
		seq    INTEGER NOT NULL,
		json   TEXT NOT NULL,
		PRIMARY KEY (run_id, seq)
	) STRICT, WITHOUT ROWID`,
}

// A database holds the SQL of a [Store].
type database struct {
	sql       *sql.DB
	saveRun   *sql.Stmt
	saveEvent *sql.Stmt
}

func openDatabase(ctx context.Context, path string) (_ *database, err error) {
	db := &database{}
	if db.sql, err = sqlitedb.Open(ctx, path, migrations); err != nil {
		return nil, err
	}
	db.saveRun, err = db.sql.PrepareContext(ctx, `INSERT OR REPLACE INTO run (id, started, open, json) VALUES (?, ?, ?, ?)`)
	if err == nil {
		db.saveEvent, err = db.sql.PrepareContext(ctx, `INSERT OR REPLACE INTO event (run_id, seq, json) VALUES (?, ?, ?)`)
	}
	if err != nil {
		_ = db.Close() // the first error counts
		return nil, err
	}
	return db, nil
}

func (db *database) Close() error { return db.sql.Close() }

// save stores rows in one transaction.
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

// run returns a run, and false if there is none.
func (db *database) run(ctx context.Context, id string) (Run, bool, error) {
	runs, err := collect(ctx, db, decodeRun, `SELECT json FROM run WHERE id = ?`, id)
	if err != nil || len(runs) == 0 {
		return Run{}, false, err
	}
	return runs[0], true, nil
}

// runs returns the runs that started before a time, newest first.
func (db *database) runs(ctx context.Context, before time.Time, limit int) ([]Run, error) {
	if before.IsZero() {
		return collect(ctx, db, decodeRun, `SELECT json FROM run ORDER BY started DESC, id DESC LIMIT ?`, limit)
	}
	return collect(ctx, db, decodeRun,
		`SELECT json FROM run WHERE started < ? ORDER BY started DESC, id DESC LIMIT ?`, before.UnixNano(), limit)
}

// openRuns returns the runs that have not ended.
func (db *database) openRuns(ctx context.Context) ([]Run, error) {
	return collect(ctx, db, decodeRun, `SELECT json FROM run WHERE open = 1 ORDER BY started`)
}

// events returns a run's events in order.
func (db *database) events(ctx context.Context, runID string) ([]Event, error) {
	return collect(ctx, db, decodeEvent, `SELECT json FROM event WHERE run_id = ? ORDER BY seq`, runID)
}

// collect decodes the only column of a query.
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

// decodeEvent keeps the stored form, so that a replay need not encode it again.
func decodeEvent(b []byte) (e Event, err error) {
	err = json.Unmarshal(b, &e)
	e.encoded = b
	return e, err
}
