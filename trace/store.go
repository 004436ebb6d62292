package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// keepEnded is the number of finished runs that stay in memory, because many
// readers look at a run just after its end.
const keepEnded = 32

// A Store is a [Log] for one process: it holds live runs in memory and all runs
// in SQLite.
type Store struct {
	db     storage
	writer *writer

	mu     sync.Mutex
	loaded map[string]*entry
	ended  []string // the finished runs in loaded, oldest first
	closed bool
}

var _ Log = (*Store)(nil)

// An entry is a run in memory.
type entry struct {
	feed *Feed[Event]

	appending sync.Mutex // serializes the run's appends
	mu        sync.Mutex // guards run
	run       Run
}

func (e *entry) info() Run {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.run
}

// OpenStore opens or creates the database file at path, or one in memory when
// path is empty. Runs that a crash left open are closed as
// [OutcomeInterrupted]; therefore only one process may have a file open, and
// OpenStore fails with sqlitedb.ErrInUse if another one has. The logger reports
// storage failures; nil discards them.
func OpenStore(ctx context.Context, path string, logger *slog.Logger) (*Store, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	db, err := openSQLite(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	s := newStore(db, logger)
	if err := s.closeInterrupted(ctx, db); err != nil {
		_ = s.Close() // the first error counts
		return nil, fmt.Errorf("trace: close interrupted runs: %w", err)
	}
	return s, nil
}

func newStore(db storage, logger *slog.Logger) *Store {
	return &Store{db: db, writer: newWriter(db, logger), loaded: make(map[string]*entry)}
}

// Close writes the pending rows and closes the file. Live runs stay open in it,
// as after a crash.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	err := s.writer.close()
	for _, e := range s.entries() {
		e.feed.Close()
	}
	return errors.Join(err, s.db.close())
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Create implements [Log].
func (s *Store) Create(ctx context.Context, run Run) error {
	run.Started = plain(run.Started)
	_, found, err := s.db.run(ctx, run.ID)
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch _, live := s.loaded[run.ID]; {
	case s.closed:
		return ErrClosed
	case live || found:
		return fmt.Errorf("%w: %s", ErrExists, run.ID)
	}
	s.loaded[run.ID] = &entry{feed: NewFeed[Event](), run: run}
	s.writer.put(row{run: &run})
	return nil
}

// Append implements [Log].
func (s *Store) Append(ctx context.Context, runID string, e Event) (Event, error) {
	en := s.entry(runID)
	if en == nil {
		if _, err := s.Run(ctx, runID); err != nil {
			return Event{}, err
		}
		return Event{}, fmt.Errorf("%w: %s", ErrEnded, runID)
	}
	en.appending.Lock()
	defer en.appending.Unlock()
	switch {
	case s.isClosed():
		return Event{}, ErrClosed
	case !en.info().Live():
		return Event{}, fmt.Errorf("%w: %s", ErrEnded, runID)
	}
	e.RunID, e.Seq, e.Time = runID, int64(en.feed.Len())+1, plain(e.Time)
	e.Spans = slices.Clone(e.Spans)
	for i := range e.Spans {
		e.Spans[i].Start = plain(e.Spans[i].Start)
	}
	e, encoded, err := limited(e)
	if err != nil {
		return Event{}, fmt.Errorf("trace: encode %s: %w", e.Step.Type(), err)
	}
	e.encoded = encoded
	if summary, ok := e.Step.(Complete); ok {
		return e, s.end(en, e, summary)
	}
	s.writer.put(row{event: &e})
	en.feed.Append(e)
	return e, nil
}

// end stores the rest of a run and then makes its end visible. If storing fails,
// the end becomes visible anyway and the writer keeps retrying.
func (s *Store) end(en *entry, e Event, summary Complete) error {
	run := en.info()
	run.Ended, run.Outcome, run.Summary = e.Time, summary.Outcome, &summary
	err := s.writer.putAndWait(row{event: &e}, row{run: &run})
	en.mu.Lock()
	en.run = run
	en.mu.Unlock()
	shown := e
	shown.Unsaved = err != nil
	en.feed.Append(shown)
	en.feed.Close()

	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, run.ID)
	for len(s.ended) > keepEnded && s.writer.idle() {
		delete(s.loaded, s.ended[0])
		s.ended = s.ended[1:]
	}
	if err != nil {
		return fmt.Errorf("trace: store run %s: %w", run.ID, err)
	}
	return nil
}

func (s *Store) entry(runID string) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loaded[runID]
}

func (s *Store) entries() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*entry, 0, len(s.loaded))
	for _, en := range s.loaded {
		out = append(out, en)
	}
	return out
}

// plain returns t as it is decoded from storage.
func plain(t time.Time) time.Time { return t.UTC().Round(0) }
