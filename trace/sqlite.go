package trace

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/devonartis/medassist-go/internal/sqlitedb"
)

// sqliteSchema holds the steps of the schema. Released ones are never edited, only appended to.
// Times are Unix nanoseconds; open is 1 while the run is live.
var sqliteSchema = []string{`
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

// A sqlite is a [storage] in one file, or in memory.
type sqlite struct {
	sql       *sql.DB
	saveRun   *sql.Stmt
	saveEvent *sql.Stmt
}

var _ storage = (*sqlite)(nil)

func openSQLite(ctx context.Context, path string) (_ *sqlite, err error) {
	db := &sqlite{}
	if db.sql, err = sqlitedb.Open(ctx, path, sqliteSchema); err != nil {
		return nil, err
	}
	db.saveRun, err = db.sql.PrepareContext(ctx, `INSERT OR REPLACE INTO run (id, started, open, json) VALUES (?, ?, ?, ?)`)
	if err == nil {
		db.saveEvent, err = db.sql.PrepareContext(ctx, `INSERT OR REPLACE INTO event (run_id, seq, json) VALUES (?, ?, ?)`)
	}
	if err != nil {
		_ = db.close() // the first error counts
		return nil, err
	}
	return db, nil
}

// close implements [storage].
func (db *sqlite) close() error { return db.sql.Close() }

// save implements [storage]. All runs belong to this process.
func (db *sqlite) save(rows []row) (over []tenure, err error) {
	tx, err := db.sql.Begin()
	if err != nil {
		return nil, err
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
			return nil, err
		}
	}
	return nil, tx.Commit()
}

// run implements [storage].
func (db *sqlite) run(ctx context.Context, id string) (Run, bool, error) {
	runs, err := collect(ctx, db, decodeRun, `SELECT json FROM run WHERE id = ?`, id)
	if err != nil || len(runs) == 0 {
		return Run{}, false, err
	}
	return runs[0], true, nil
}

// runs implements [storage].
func (db *sqlite) runs(ctx context.Context, before time.Time, limit int) ([]Run, error) {
	if before.IsZero() {
		return collect(ctx, db, decodeRun, `SELECT json FROM run ORDER BY started DESC, id DESC LIMIT ?`, limit)
	}
	return collect(ctx, db, decodeRun,
		`SELECT json FROM run WHERE started < ? ORDER BY started DESC, id DESC LIMIT ?`, before.UnixNano(), limit)
}

// openRuns returns the runs that have not ended.
func (db *sqlite) openRuns(ctx context.Context) ([]Run, error) {
	return collect(ctx, db, decodeRun, `SELECT json FROM run WHERE open = 1 ORDER BY started`)
}

// events implements [storage].
func (db *sqlite) events(ctx context.Context, runID string) ([]Event, error) {
	return collect(ctx, db, decodeEvent, `SELECT json FROM event WHERE run_id = ? ORDER BY seq`, runID)
}

// collect decodes the only column of a query.
func collect[T any](ctx context.Context, db *sqlite, decode func([]byte) (T, error), query string, args ...any) ([]T, error) {
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
