package trace

import (
	"cmp"
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
	db     *database
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
	db, err := openDatabase(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	s := &Store{db: db, writer: newWriter(db, logger), loaded: make(map[string]*entry)}
	if err := s.closeInterrupted(ctx); err != nil {
		_ = s.Close() // the first error counts
		return nil, fmt.Errorf("trace: close interrupted runs: %w", err)
	}
	return s, nil
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
	return errors.Join(err, s.db.Close())
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

// Run implements [Log].
func (s *Store) Run(ctx context.Context, runID string) (Run, error) {
	if en := s.entry(runID); en != nil {
		run := en.info()
		run.Unsaved = s.writer.unsaved(runID)
		return run, nil
	}
	run, found, err := s.db.run(ctx, runID)
	switch {
	case err != nil:
		return Run{}, fmt.Errorf("trace: %w", err)
	case !found:
		return Run{}, fmt.Errorf("%w: %s", ErrNotFound, runID)
	}
	return run, nil
}

// Runs implements [Log].
func (s *Store) Runs(ctx context.Context, before time.Time, limit int) ([]Run, error) {
	limit = max(limit, 0)
	stored, err := s.db.runs(ctx, before, limit)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	byID := make(map[string]Run, len(stored))
	for _, r := range stored {
		byID[r.ID] = r
	}
	for _, en := range s.entries() { // newer than the stored ones
		if run := en.info(); before.IsZero() || run.Started.Before(before) {
			byID[run.ID] = run
		}
	}
	out := make([]Run, 0, len(byID))
	for _, r := range byID {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Run) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.ID, a.ID))
	})
	return out[:min(limit, len(out))], nil
}

// Events implements [Log].
func (s *Store) Events(ctx context.Context, runID string, after int64) ([]Event, error) {
	feed, err := s.feed(ctx, runID)
	if err != nil {
		return nil, err
	}
	items, _, err := feed.after(index(after))
	if err != nil { // io.EOF: no event is above after
		return nil, nil
	}
	return slices.Clone(items), nil
}

// Follow implements [Log].
func (s *Store) Follow(ctx context.Context, runID string, after int64) (*Cursor[Event], error) {
	feed, err := s.feed(ctx, runID)
	if err != nil {
		return nil, err
	}
	return feed.From(index(after)), nil
}

// Fault implements [Log].
func (s *Store) Fault() error { return s.writer.fault() }

// plain returns t as it is decoded from storage.
func plain(t time.Time) time.Time { return t.UTC().Round(0) }

// index returns the index in a feed of the first event whose Seq is above after.
func index(after int64) int {
	const far = 1 << 30 // beyond any run
	return int(min(max(after, 0), far))
}

// feed returns the run's live feed, or a closed one with its stored events.
func (s *Store) feed(ctx context.Context, runID string) (*Feed[Event], error) {
	if en := s.entry(runID); en != nil {
		return en.feed, nil
	}
	if _, err := s.Run(ctx, runID); err != nil {
		return nil, err
	}
	events, err := s.db.events(ctx, runID)
	if err != nil {
		return nil, fmt.Errorf("trace: events of %s: %w", runID, err)
	}
	return &Feed[Event]{items: events, closed: true}, nil
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

// closeInterrupted ends the runs that a crash left open with an event that reports
// the crash, at the time of their last event.
func (s *Store) closeInterrupted(ctx context.Context) error {
	open, err := s.db.openRuns(ctx)
	if err != nil {
		return err
	}
	for _, run := range open {
		events, err := s.db.events(ctx, run.ID)
		if err != nil {
			return fmt.Errorf("events of %s: %w", run.ID, err)
		}
		rows, err := interrupted(run, events)
		if err != nil {
			return err
		}
		if err := s.writer.putAndWait(rows...); err != nil {
			return err
		}
	}
	return nil
}

// interrupted returns the rows that end a run whose process ended.
func interrupted(run Run, events []Event) ([]row, error) {
	var tally Tally
	last := Event{Time: run.Started}
	for _, e := range events {
		tally.Add(e)
		last = e
	}
	summary := tally.Complete(run.PatientID, OutcomeInterrupted, last.Time.Sub(run.Started))
	lost := RunError{Stage: "internal", Message: "The process ended during this run; later steps are unknown."}
	if summary.ValidUntil > 0 {
		lost.Hint = fmt.Sprintf("Tokens that were not released expire by %s.", time.Unix(summary.ValidUntil, 0).UTC().Format(time.DateTime+" MST"))
	}
	rows := make([]row, 0, 3)
	for i, e := range []Event{
		{Label: "Interrupted", Status: StatusError, Step: lost},
		{Label: "Interrupted", Status: StatusError, Step: summary},
	} {
		e.RunID, e.Seq, e.Time = run.ID, last.Seq+int64(i)+1, last.Time
		var err error
		if e.encoded, err = e.encode(); err != nil {
			return nil, err
		}
		rows = append(rows, row{event: &e})
	}
	run.Ended, run.Outcome, run.Summary = last.Time, OutcomeInterrupted, &summary
	return append(rows, row{run: &run}), nil
}
