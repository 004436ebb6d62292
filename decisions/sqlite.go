package decisions

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/sqlitedb"
)

// migrations build the schema in SQLite. Released ones are never edited, only appended
// to.
var migrations = []string{`
	CREATE TABLE decision (
		position INTEGER PRIMARY KEY,
		task_id  TEXT NOT NULL,
		json     TEXT NOT NULL
	) STRICT;
	CREATE INDEX decision_task ON decision (task_id)`,
}

// embedded keeps a log in a SQLite database, which belongs to this process.
type embedded struct {
	db   *sql.DB
	last head
}

var _ storage = (*embedded)(nil)

// Open opens or creates the log at path, or one in memory when path is empty, and
// verifies what it holds. A chain that is broken is reported by the State; the log
// continues after it.
func Open(ctx context.Context, path string, now func() time.Time, logger *slog.Logger) (*Log, error) {
	db, err := sqlitedb.Open(ctx, path, migrations)
	if err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	return open(ctx, &embedded{db, head{hash: wire.GenesisHash}}, now, logger)
}

func (s *embedded) Close() error { return s.db.Close() }

func (s *embedded) changed() <-chan struct{} { return nil }

func (s *embedded) head(context.Context) (head, error) { return s.last, nil }

// load implements [storage].
func (s *embedded) load(ctx context.Context, f func(Entry)) (head, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT position, json FROM decision ORDER BY position")
	if err != nil {
		return s.last, err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return s.last, err
		}
		if s.last.size == 0 {
			s.last.dropped = e.Position - 1
		}
		s.last.size, s.last.hash = e.Position, e.Event.Hash
		f(e)
	}
	return s.last, rows.Err()
}

// read implements [storage].
func (s *embedded) read(ctx context.Context, taskID string, after int64) (entries []Entry, err error) {
	query, args := "SELECT position, json FROM decision WHERE position > $1 ORDER BY position LIMIT $2", []any{after, page}
	if taskID != "" {
		query, args = "SELECT position, json FROM decision WHERE position > $1 AND task_id = $3 ORDER BY position LIMIT $2", append(args, taskID)
	}
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

// append implements [storage].
func (s *embedded) append(ctx context.Context, f func(head) ([]Entry, head)) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // a no-op after Commit
	entries, next := f(s.last)
	for _, e := range entries {
		text, err := json.Marshal(e.Event)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO decision (position, task_id, json) VALUES ($1, $2, $3)", e.Position, e.Event.TaskID, string(text)); err != nil {
			return err
		}
	}
	if next.dropped > s.last.dropped {
		if _, err := tx.ExecContext(ctx, "DELETE FROM decision WHERE position <= $1", next.dropped); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.last = next
	return nil
}
