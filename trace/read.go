package trace

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	database "github.com/devonartis/medassist-go/internal/postgres"
)

// Run implements [Log].
func (s *Store) Run(ctx context.Context, runID string) (Run, error) {
	if en, _ := s.current(ctx, runID); en != nil {
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
	for _, en := range s.entries() {
		run := en.info()
		if _, newer := en.tenure(); newer && (before.IsZero() || run.Started.Before(before)) {
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
	if _, err := s.current(ctx, runID); err != nil {
		return nil, err
	}
	feed, err := s.feed(ctx, runID)
	if err != nil {
		return nil, err
	}
	items, _, err := feed.From(index(after)).unread()
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

// current returns a loaded run, or nil. One of another replica catches up first. It
// fails if the storage does not answer, unless what is in memory is valid.
func (s *Store) current(ctx context.Context, runID string) (*entry, error) {
	en := s.entry(runID)
	if en == nil || !en.follows() {
		return en, nil
	}
	if err := s.catchUp(ctx, runID); err != nil && !en.isSynced() {
		return en, err
	}
	return en, nil
}

// Fault implements [Log].
func (s *Store) Fault() error {
	if s.shared != nil && !s.shared.db.cluster.Current() {
		return database.ErrAway
	}
	return s.writer.fault()
}

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
	run, err := s.Run(ctx, runID)
	if err != nil {
		return nil, err
	}
	if run.Live() && s.shared != nil {
		en, err := s.loadShared(ctx, run)
		if err != nil {
			return nil, err
		}
		return en.feed, nil
	}
	events, err := s.db.events(ctx, runID)
	if err != nil {
		return nil, fmt.Errorf("trace: events of %s: %w", runID, err)
	}
	return &Feed[Event]{items: events, closed: true}, nil
}
