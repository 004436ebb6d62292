package agents

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

const (
	// claimEvery is how often a replica looks for runs whose replica is gone.
	claimEvery = 250 * time.Millisecond
	// maxTakeovers is the number of runs that are ended at once.
	maxTakeovers = 8
	// refreshPause limits how often the runs of other replicas are read.
	refreshPause = 50 * time.Millisecond
	// readTimeout limits one question to the cluster.
	readTimeout = 3 * time.Second
)

// others is what a replica knows of the other replicas' runs. A nil others knows of
// none.
type others struct {
	mu   sync.Mutex
	runs []*otherRun // the oldest first

	refreshing sync.Mutex // so that what was read first does not replace what was read later

	ending chan struct{} // semaphore of the takeovers

	end  context.CancelFunc // of the goroutines
	done sync.WaitGroup
}

// An otherRun is a live run of another replica. It is replaced, not changed, when
// there is news.
type otherRun struct {
	OtherRun
	states *trace.Feed[State]
}

// activeTokens returns the tokens that have not expired.
func (r *otherRun) activeTokens(now time.Time) []Token {
	return slices.DeleteFunc(slices.Clone(r.Tokens), func(t Token) bool { return !now.Before(t.Expires) })
}

// join starts to follow the other replicas, to answer their questions and to take
// over their runs.
func (s *Service) join() {
	ctx, end := context.WithCancel(context.Background())
	s.others = &others{ending: make(chan struct{}, maxTakeovers), end: end}
	s.others.done.Go(func() { s.follow(ctx) })
	s.others.done.Go(func() { s.takeOver(ctx) })
	go s.cfg.Cluster.Serve(ctx, s.answer)
}

// leave stops what join has started. No run is taken over after it returns.
func (o *others) leave() {
	if o == nil {
		return
	}
	o.end()
	o.done.Wait()
}

// list returns the runs of other replicas.
func (o *others) list() []*otherRun {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.runs
}

// find returns a run of another replica, or nil.
func (o *others) find(runID string) *otherRun {
	for _, r := range o.list() {
		if r.ID == runID {
			return r
		}
	}
	return nil
}

// set replaces what is known.
func (o *others) set(runs []OtherRun) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := make(map[string]*otherRun)
	for _, r := range o.runs {
		before[r.ID] = r
	}
	o.runs = nil
	for _, r := range runs {
		run, old := &otherRun{OtherRun: r}, before[r.ID]
		if old != nil {
			run.states = old.states
			delete(before, r.ID)
		} else {
			run.states = trace.NewFeed[State]()
		}
		if old == nil || old.State != r.State {
			run.states.Append(r.State)
		}
		o.runs = append(o.runs, run)
	}
	for _, gone := range before {
		gone.states.Close()
	}
}

// findOther returns a live run of another replica. It fails with ErrNotLive.
func (s *Service) findOther(runID string) (*otherRun, error) {
	r := s.others.find(runID)
	if r == nil && s.others != nil {
		// It may have been started a moment ago.
		ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
		defer cancel()
		if run, err := s.cfg.Log.Run(ctx, runID); err == nil && run.Live() && s.refresh(ctx) == nil {
			r = s.others.find(runID)
		}
	}
	if r == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotLive, runID)
	}
	return r, nil
}

// follow keeps what is known of the other replicas' runs current, until ctx ends.
func (s *Service) follow(ctx context.Context) {
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.cfg.Cluster.Changed():
		}
		err := s.refresh(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			s.cfg.Logger.ErrorContext(ctx, "the runs of other replicas can't be read", slog.Any("error", err))
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-time.After(refreshPause):
		}
	}
}

// refresh reads the runs of the other replicas, those that were started a moment
// ago included.
func (s *Service) refresh(ctx context.Context) error {
	if s.others == nil {
		return nil
	}
	s.others.refreshing.Lock()
	defer s.others.refreshing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	runs, err := s.cfg.Cluster.Others(ctx)
	if err == nil {
		s.others.set(runs)
	}
	return err
}
