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

// A Store is a [Log]. It holds live runs in memory and all runs in a storage, which
// is a SQLite file of one process or a PostgreSQL database of several replicas.
type Store struct {
	db     storage
	writer *writer
	shared *shared // nil for one process

	mu     sync.Mutex
	loaded map[string]*entry
	ended  []string // the finished runs in loaded, in the order in which they ended
	closed bool
}

var _ Log = (*Store)(nil)

// OpenStore opens or creates the database file at path, or one in memory when
// path is empty. Runs that a crash left open are closed as
// [OutcomeInterrupted]; therefore only one process may have a file open, and
// OpenStore fails with sqlitedb.ErrInUse if another one has. The logger reports
// storage failures; nil discards them.
func OpenStore(ctx context.Context, path string, logger *slog.Logger) (*Store, error) {
	db, err := openSQLite(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	s := newStore(db, logger, false)
	if err := s.closeInterrupted(ctx, db); err != nil {
		_ = s.Close() // the first error counts
		return nil, fmt.Errorf("trace: close interrupted runs: %w", err)
	}
	return s, nil
}

func newStore(db storage, logger *slog.Logger, patient bool) *Store {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{db: db, loaded: make(map[string]*entry)}
	s.writer = newWriter(s.save, patient, logger)
	return s
}

// Close stores the pending rows and closes the storage. Live runs stay open in it,
// as after a crash.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	if s.shared != nil {
		s.shared.close()
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
	if s.shared != nil {
		return s.createShared(ctx, run)
	}
	_, found, err := s.db.run(ctx, run.ID)
	switch {
	case err != nil:
		return fmt.Errorf("trace: %w", err)
	case found:
		return fmt.Errorf("%w: %s", ErrExists, run.ID)
	}
	if err := s.add(&entry{feed: NewFeed[Event](), run: run, owned: true, synced: true}); err != nil {
		return err
	}
	s.writer.put(row{run: &run})
	return nil
}

// add loads a run that is not loaded. It fails with ErrExists.
func (s *Store) add(en *entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.loaded[en.run.ID] != nil:
		return fmt.Errorf("%w: %s", ErrExists, en.run.ID)
	}
	s.loaded[en.run.ID] = en
	return nil
}

// Append implements [Log].
func (s *Store) Append(ctx context.Context, runID string, e Event) (Event, error) {
	en := s.entry(runID)
	if en == nil {
		run, err := s.Run(ctx, runID)
		switch {
		case err != nil:
			return Event{}, err
		case run.Live():
			return Event{}, fmt.Errorf("%w: %s", ErrFenced, runID)
		}
		return Event{}, fmt.Errorf("%w: %s", ErrEnded, runID)
	}
	en.appending.Lock()
	defer en.appending.Unlock()
	term, owned := en.tenure()
	switch {
	case s.isClosed():
		return Event{}, ErrClosed
	case !en.info().Live():
		return Event{}, fmt.Errorf("%w: %s", ErrEnded, runID)
	case !owned:
		return Event{}, fmt.Errorf("%w: %s", ErrFenced, runID)
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
		return e, s.end(en, term, e, summary)
	}
	stored := row{event: &e, term: term}
	if s.mayShow(en) {
		s.writer.put(stored)
	} else if err := s.store(en, term, stored); err != nil {
		return Event{}, err
	}
	en.feed.Append(e)
	return e, nil
}

// store stores rows of a run. It fails with ErrFenced if another replica has taken
// over the run.
func (s *Store) store(en *entry, term int64, rows ...row) error {
	if err := s.writer.putAndWait(rows...); err != nil {
		return err
	}
	if now, owned := en.tenure(); !owned || now != term {
		return fmt.Errorf("%w: %s", ErrFenced, en.info().ID)
	}
	return nil
}

// end stores the rest of a run and then makes its end visible. If storing fails,
// the end becomes visible anyway and the writer keeps retrying. With several
// replicas it does not: all of them show the same end.
func (s *Store) end(en *entry, term int64, e Event, summary Complete) error {
	run := en.info()
	run.Ended, run.Outcome, run.Summary = e.Time, summary.Outcome, &summary
	err := s.store(en, term, row{event: &e, term: term}, row{run: &run, term: term})
	if err != nil && s.shared != nil {
		return fmt.Errorf("trace: store run %s: %w", run.ID, err)
	}
	shown := e
	shown.Unsaved = err != nil
	en.end(run, shown)
	s.retire(run.ID)
	if err != nil {
		return fmt.Errorf("trace: store run %s: %w", run.ID, err)
	}
	return nil
}

// retire notes that a loaded run has ended, and unloads the oldest such runs.
func (s *Store) retire(runID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, runID)
	for len(s.ended) > keepEnded && s.writer.idle() {
		delete(s.loaded, s.ended[0])
		s.ended = s.ended[1:]
	}
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
