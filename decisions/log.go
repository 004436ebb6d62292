package decisions

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/latest"
	"github.com/devonartis/medassist-go/internal/sqlitedb"
)

// Bounds of a log.
const (
	Keep       = 20_000 // entries that are kept
	dropAtOnce = 1_000  // entries beyond Keep before the oldest are dropped
	inMemory   = 500    // newest entries in a State, at least
)

// migrations build the schema. Released ones are never edited, only appended to.
var migrations = []string{`
	CREATE TABLE decision (
		position INTEGER PRIMARY KEY,
		task_id  TEXT NOT NULL,
		json     TEXT NOT NULL
	) STRICT;
	CREATE INDEX decision_task ON decision (task_id)`,
}

// A State is a log at one moment.
type State struct {
	Size    int64             // entries so far, those that were dropped included
	Dropped int64             // oldest entries that are no longer kept
	Head    string            // hash of the last entry
	Newest  []wire.AuditEvent // oldest first; must not be modified
	Broken  error             // where the chain broke when the log was opened; nil if it did not
	version int64
}

// A Log is a hash-chained log of decisions. It is safe for concurrent use.
type Log struct {
	db     *sql.DB
	now    func() time.Time
	logger *slog.Logger
	bound  int64 // Keep, except in tests

	mu      sync.Mutex
	state   State
	unsaved []wire.AuditEvent // which the database did not take; at most bound
	fault   error             // why it did not; nil if there are none
	news    latest.Value[State]
}

// Open opens or creates the log at path, or one in memory when path is empty, and
// verifies what it holds. A chain that is broken is reported by the State; the log
// continues after it.
func Open(ctx context.Context, path string, now func() time.Time, logger *slog.Logger) (*Log, error) {
	db, err := sqlitedb.Open(ctx, path, migrations)
	if err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	l := &Log{db: db, now: now, logger: logger, bound: Keep, state: State{Head: wire.GenesisHash}}
	if err := l.load(ctx); err != nil {
		_ = db.Close() // the first error counts
		return nil, fmt.Errorf("decisions: %w", err)
	}
	l.announce()
	return l, nil
}

// Close closes the log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.save(context.Background())
	return l.db.Close()
}

// load reads and verifies the stored entries.
func (l *Log) load(ctx context.Context) error {
	s := &l.state
	var first, last sql.Null[int64]
	if err := l.db.QueryRowContext(ctx, "SELECT min(position), max(position) FROM decision").Scan(&first, &last); err != nil {
		return err
	}
	if first.Valid {
		s.Dropped, s.Size = first.V-1, last.V
	}
	chain := wire.Chain{Size: s.Dropped} // its head is set by the first entry
	for e, err := range l.Events(ctx, "") {
		if err != nil {
			return err
		}
		if chain.Size == s.Dropped && s.Broken == nil {
			chain.Head = start(s.Dropped, e)
		}
		if s.Broken == nil {
			s.Broken = chain.Add(e)
		}
		s.Head = e.Hash
		s.keep(e)
	}
	return nil
}

// keep adds an entry to the newest ones. What a returned State shows of them does
// not change: entries are only appended, or copied.
func (s *State) keep(e wire.AuditEvent) {
	if len(s.Newest) == 2*inMemory {
		s.Newest = slices.Clone(s.Newest[inMemory:])
	}
	s.Newest = append(s.Newest, e)
}

// start returns the hash that the first kept entry must continue.
func start(dropped int64, first wire.AuditEvent) string {
	if dropped == 0 {
		return wire.GenesisHash
	}
	return first.PrevHash
}

// Add appends a decision. It always succeeds: an entry that can't be stored is kept
// in memory and stored with the next one. If there are more than [Keep] of these, the
// oldest are lost, and the stored chain is broken there. A nil log keeps nothing.
func (l *Log) Add(ctx context.Context, d Decision) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.append(d)
	l.save(context.WithoutCancel(ctx))
	l.announce()
}

// append chains a decision to the last entry. The caller holds the lock.
func (l *Log) append(d Decision) {
	s := &l.state
	e := d.event(l.now())
	e.ID, e.PrevHash = fmt.Sprintf("dec-%06d", s.Size+1), s.Head
	e.Hash = e.ComputeHash()
	s.Size, s.Head = s.Size+1, e.Hash
	s.keep(e)
	if int64(len(l.unsaved)) == l.bound {
		l.unsaved = l.unsaved[1:]
	}
	l.unsaved = append(l.unsaved, e)
}

// Fault stores what could not be stored before, and returns an error if that fails
// again.
func (l *Log) Fault() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.save(context.Background())
	return l.fault
}

// announce wakes the callers of Next. The caller holds the lock.
func (l *Log) announce() {
	l.state.version++
	l.news.Set(l.state)
}

// save stores the unsaved entries and drops the oldest ones beyond the bound. The
// caller holds the lock.
func (l *Log) save(ctx context.Context) {
	if len(l.unsaved) == 0 {
		return
	}
	s := &l.state
	dropped := s.Dropped
	if s.Size-dropped > l.bound+dropAtOnce {
		dropped = s.Size - l.bound
	}
	if err := l.store(ctx, s.Size-int64(len(l.unsaved)), dropped); err != nil {
		l.logger.ErrorContext(ctx, "decisions: storage failed, keeping entries in memory", "entries", len(l.unsaved), "error", err)
		l.fault = err
		return
	}
	l.unsaved, l.fault, s.Dropped = nil, nil, dropped
}

// store writes the unsaved entries, the first of which follows position after.
func (l *Log) store(ctx context.Context, after, dropped int64) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // a no-op after Commit
	for i, e := range l.unsaved {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO decision (position, task_id, json) VALUES (?, ?, ?)", after+int64(i)+1, e.TaskID, string(b)); err != nil {
			return err
		}
	}
	if dropped > l.state.Dropped {
		if _, err := tx.ExecContext(ctx, "DELETE FROM decision WHERE position <= ?", dropped); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// State returns the current state.
func (l *Log) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Next waits until the state differs from the given one and returns it. It fails
// with ctx's error.
func (l *Log) Next(ctx context.Context, known State) (State, error) {
	s, _, err := l.news.Next(ctx, known.version)
	return s, err
}

// page is how many entries are read at once, so that a slow reader of the log does
// not keep the database from the decisions that are to be stored.
const page = 1000

// Events returns the stored entries of a task, or all if it is empty, oldest first.
func (l *Log) Events(ctx context.Context, taskID string) iter.Seq2[wire.AuditEvent, error] {
	return func(yield func(wire.AuditEvent, error) bool) {
		after := int64(0)
		for {
			events, last, err := l.read(ctx, taskID, after)
			if err != nil {
				yield(wire.AuditEvent{}, err)
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			if len(events) < page {
				return
			}
			after = last
		}
	}
}

// read returns a page of entries and the position of its last one.
func (l *Log) read(ctx context.Context, taskID string, after int64) (events []wire.AuditEvent, last int64, err error) {
	query, args := "SELECT position, json FROM decision WHERE position > ? ORDER BY position LIMIT ?", []any{after, page}
	if taskID != "" {
		query, args = "SELECT position, json FROM decision WHERE task_id = ? AND position > ? ORDER BY position LIMIT ?", []any{taskID, after, page}
	}
	rows, err := l.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		var e wire.AuditEvent
		if err := rows.Scan(&last, &text); err != nil {
			return nil, 0, err
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, 0, fmt.Errorf("entry %d: %w", last, err)
		}
		events = append(events, e)
	}
	return events, last, rows.Err()
}
