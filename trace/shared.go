package trace

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/internal/cluster"
	database "github.com/devonartis/medassist-go/internal/postgres"
)

const (
	// createTimeout limits the time for a run to be stored before it starts.
	createTimeout = 5 * time.Second
	// readTimeout limits the time for reading what is stored.
	readTimeout = 3 * time.Second
)

// A shared holds what a [Store] needs when other replicas use its storage, too.
type shared struct {
	db *postgres

	mu    sync.Mutex
	stale map[string]bool // runs whose feeds have to catch up

	wake chan struct{} // holds a value if there are stale runs
	end  context.CancelFunc
	done sync.WaitGroup
}

// OpenShared opens the runs of all replicas. Runs of a replica that is gone stay
// open until one of the others claims and ends them, see [Store.Claim]. The logger
// reports storage failures; nil discards them.
func OpenShared(ctx context.Context, c *cluster.Cluster, logger *slog.Logger) (*Store, error) {
	if err := c.Migrate(ctx, "runs", postgresSchema); err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	db := &postgres{cluster: c}
	s := newStore(db, logger, true)
	running, end := context.WithCancel(context.Background())
	s.shared = &shared{db: db, stale: make(map[string]bool), wake: make(chan struct{}, 1), end: end}
	s.shared.done.Go(func() { s.follow(running) })
	c.Subscribe(runTopic, s.announced)
	return s, nil
}

// close ends the goroutines.
func (sh *shared) close() {
	sh.end()
	sh.done.Wait()
}

// mark notes that a run's feed has to catch up.
func (sh *shared) mark(runIDs ...string) {
	if len(runIDs) == 0 {
		return
	}
	sh.mu.Lock()
	for _, id := range runIDs {
		sh.stale[id] = true
	}
	sh.mu.Unlock()
	signal(sh.wake)
}

// take returns the runs to catch up with.
func (sh *shared) take() []string {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ids := make([]string, 0, len(sh.stale))
	for id := range sh.stale {
		ids = append(ids, id)
	}
	clear(sh.stale)
	return ids
}

// announced handles an announcement: a run that has changed, or "" if any may have.
func (s *Store) announced(runID string) {
	if runID != "" {
		if en := s.entry(runID); en != nil && en.follows() {
			s.shared.mark(runID)
		}
		return
	}
	for _, en := range s.entries() {
		if en.follows() {
			s.shared.mark(en.info().ID)
		}
	}
}

// follow lets the feeds of other replicas' runs catch up, until ctx ends.
func (s *Store) follow(ctx context.Context) {
	retry := retryAfter
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.shared.wake:
		}
		ids := s.shared.take()
		if err := s.catchUp(ctx, ids...); err == nil {
			retry = retryAfter
			continue
		}
		s.shared.mark(ids...)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
		}
		retry = min(2*retry, maxRetryAfter)
	}
}

// catchUp adds what is stored to the feeds of other replicas' runs.
func (s *Store) catchUp(ctx context.Context, runIDs ...string) error {
	after := make(map[string]int64, len(runIDs))
	entries := make([]*entry, 0, len(runIDs))
	for _, id := range runIDs {
		if en := s.entry(id); en != nil && en.follows() {
			after[id] = en.position()
			entries = append(entries, en)
		}
	}
	if len(after) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	ended, events, err := s.shared.db.news(ctx, after)
	if err != nil {
		return fmt.Errorf("trace: read what other replicas have stored: %w", err)
	}
	for _, en := range entries {
		id := en.info().ID
		var end *Run
		if run, ok := ended[id]; ok {
			end = &run
		}
		if en.catchUp(after[id], events[id], end) {
			s.retire(id)
		}
	}
	return nil
}

// save stores rows for the writer. A run whose tenure is over belongs to another
// replica from then on.
func (s *Store) save(rows []row) error {
	var lease time.Time
	if s.shared != nil {
		lease, _ = s.shared.db.cluster.Held()
	}
	over, err := s.db.save(rows)
	if err != nil || s.shared == nil {
		return err
	}
	for _, r := range rows {
		t := r.tenure()
		en := s.entry(t.runID)
		switch {
		case en == nil:
		case slices.Contains(over, t):
			en.fence(t.term)
			s.shared.mark(t.runID)
		default:
			en.confirm(t.term, lease)
		}
	}
	return nil
}

// mayShow reports whether an event may be shown before it is stored: always in a
// single process. With several replicas, only if no other can have taken over the
// run since the storage confirmed that it is this replica's.
func (s *Store) mayShow(en *entry) bool {
	if s.shared == nil {
		return true
	}
	lease, held := s.shared.db.cluster.Held()
	return held && lease.Equal(en.confirmedAt())
}

// createShared stores a run and then opens it, so that all replicas know it from
// the start.
func (s *Store) createShared(ctx context.Context, run Run) error {
	lease, held := s.shared.db.cluster.Held()
	if !held { // another replica would take the run over at once
		return fmt.Errorf("trace: %w", database.ErrAway)
	}
	en := &entry{feed: NewFeed[Event](), run: run, owned: true, term: firstTerm, lease: lease, synced: true}
	if err := s.add(en); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	if err := s.shared.db.create(ctx, run); err != nil {
		s.mu.Lock()
		delete(s.loaded, run.ID)
		s.mu.Unlock()
		en.feed.Close()
		return fmt.Errorf("trace: %w", err)
	}
	return nil
}

// loadShared loads a live run of another replica, with its events so far.
func (s *Store) loadShared(ctx context.Context, run Run) (*entry, error) {
	en := &entry{feed: NewFeed[Event](), run: run}
	if err := s.add(en); err != nil {
		if en = s.entry(run.ID); en == nil {
			return nil, err
		}
	}
	return en, s.catchUp(ctx, run.ID)
}

// Claim makes this replica the owner of the open runs whose replica is gone, and
// returns them: what they left has to be ended here. No other replica gets the same
// run. Events that are appended follow the stored ones. Without other replicas
// there is nothing to claim.
//
// A replica that has been away itself claims nothing before the others have had
// the time to come back, too.
func (s *Store) Claim(ctx context.Context) ([]Run, error) {
	if s.shared == nil {
		return nil, nil
	}
	lease, held := s.shared.db.cluster.Held()
	if !held || time.Since(lease) < cluster.Lease {
		return nil, nil
	}
	lost, err := s.lost(ctx)
	if err != nil {
		return nil, err
	}
	claims, err := s.shared.db.claim(ctx, lost)
	if err != nil {
		return nil, fmt.Errorf("trace: claim runs: %w", err)
	}
	var runs []Run
	for _, c := range claims {
		if err := s.adopt(ctx, c, lease); err != nil {
			return runs, err // it is lost, and found by the next call
		}
		runs = append(runs, c.run)
	}
	return runs, nil
}

// lost returns the open runs that are this replica's in the storage only: those
// whose creation or claim was stored, while the answer was lost.
func (s *Store) lost(ctx context.Context) ([]string, error) {
	ids, err := s.shared.db.owned(ctx)
	if err != nil {
		return nil, fmt.Errorf("trace: read own runs: %w", err)
	}
	return slices.DeleteFunc(ids, func(id string) bool {
		en := s.entry(id)
		if en == nil {
			return false
		}
		_, owned := en.tenure()
		return owned
	}), nil
}

// adopt makes a claimed run one that events are appended to here.
func (s *Store) adopt(ctx context.Context, c claim, lease time.Time) error {
	if en := s.entry(c.run.ID); en != nil {
		term, _ := en.tenure()
		en.fence(term) // another replica has owned it meanwhile
	}
	en, err := s.loadShared(ctx, c.run)
	if err != nil {
		return err
	}
	if !en.own(c.term, lease) {
		return fmt.Errorf("trace: run %s has changed while it was read", c.run.ID)
	}
	return nil
}
