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

// keepEnded is how many finished runs stay in memory, for the many that look
// at one just after its end.
const keepEnded = 32

// Store is the [Log] of one process: live runs in memory, all runs in SQLite.
type Store struct {
	db     *database
	writer *writer

	mu     sync.Mutex
	loaded map[string]*entry
	ended  []string // of loaded, the finished ones, oldest first
	closed bool
}

var _ Log = (*Store)(nil)

// entry is a run in memory.
type entry struct {
	feed *Feed[Event]

	appending sync.Mutex // orders the run's appends
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
// [OutcomeInterrupted], which is why a file belongs to one process at a time:
// it fails with sqlitedb.ErrInUse. A nil logger discards; it hears of storage
// that fails.
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

// Close writes what is left and closes the file. Runs that are still live stay
// open in it, as after a crash.
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

// Create opens a run.
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

// Append logs an event.
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
	var err error
	if e.encoded, err = e.encode(); err != nil {
		return Event{}, fmt.Errorf("trace: encode %s: %w", e.Step.Type(), err)
	}
	if summary, ok := e.Step.(Complete); ok {
		return e, s.end(en, e, summary)
	}
	s.writer.put(row{event: &e})
	en.feed.Append(e)
	return e, nil
}

// end stores the rest of a run, and then shows its end. When it can't be
// stored the end is shown all the same, and the writer goes on trying.
func (s *Store) end(en *entry, e Event, summary Complete) error {
	run := en.info()
	run.Ended, run.Outcome, run.Summary = e.Time, summary.Outcome, &summary
	err := s.writer.putAndWait(row{event: &e}, row{run: &run})
	en.mu.Lock()
	en.run = run
	en.mu.Unlock()
	en.feed.Append(e)
	en.feed.Close()

	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, run.ID)
	for len(s.ended) > keepEnded && s.writer.idle() {
		delete(s.loaded, s.ended[0])
		s.ended = s.ended[1:]
	}
	if err != nil {
		return fmt.Errorf("trace: run %s is not stored: %w", run.ID, err)
	}
	return nil
}

// Run finds a run.
func (s *Store) Run(ctx context.Context, runID string) (Run, error) {
	if en := s.entry(runID); en != nil {
		return en.info(), nil
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

// Runs lists runs, newest first.
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
	for _, en := range s.entries() { // newer than what is stored
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

// Events returns what has been logged so far.
func (s *Store) Events(ctx context.Context, runID string, after int64) ([]Event, error) {
	feed, err := s.feed(ctx, runID)
	if err != nil {
		return nil, err
	}
	items, _, err := feed.after(index(after))
	if err != nil { // io.EOF: there is nothing above after
		return nil, nil
	}
	return slices.Clone(items), nil
}

// Follow replays a run and goes on with it live.
func (s *Store) Follow(ctx context.Context, runID string, after int64) (*Cursor[Event], error) {
	feed, err := s.feed(ctx, runID)
	if err != nil {
		return nil, err
	}
	return feed.From(index(after)), nil
}

// plain is a time as it comes back from storage.
func plain(t time.Time) time.Time { return t.UTC().Round(0) }

// index is where the events whose Seq is above after begin in a feed.
func index(after int64) int {
	const far = 1 << 30 // beyond any run
	return int(min(max(after, 0), far))
}

// feed is the run's live feed, or a closed one read from the database.
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

// closeInterrupted ends the runs that a crash left open, with an event that
// says so. Their end is the last thing known of them.
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

// interrupted makes the rows that end a run whose process died.
func interrupted(run Run, events []Event) ([]row, error) {
	var tally Tally
	last := Event{Time: run.Started}
	for _, e := range events {
		tally.Add(e.Step)
		last = e
	}
	lost := RunError{Stage: "internal", Message: "The process ended in the middle of this run: what came after is not known.",
		Hint: "Tokens that were not released die by themselves when they expire."}
	summary := tally.Complete(run.PatientID, OutcomeInterrupted, last.Time.Sub(run.Started))
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
