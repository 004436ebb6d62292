package agents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/devonartis/medassist-go/trace"
)

// Wait returns when the run has ended and its tokens are released. It fails with
// trace.ErrNotFound for a run that does not exist, and with ctx's error.
func (s *Service) Wait(ctx context.Context, runID string) error {
	if e, err := s.find(runID); err == nil {
		select {
		case <-e.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	run, err := s.cfg.Log.Run(ctx, runID)
	if s.cfg.Cluster == nil || err != nil || !run.Live() {
		return err
	}
	// It runs on another replica.
	for {
		events, err := s.cfg.Log.Follow(ctx, runID, 0)
		for err == nil {
			_, err = events.Next(ctx)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case !errors.Is(err, trace.ErrRetracted): // otherwise it has a new owner
			return err
		}
	}
}

// Next lets a waiting run continue. It fails with ErrNotLive and ErrNotWaiting.
func (s *Service) Next(runID string) error {
	_, err := s.command(context.Background(), runID, command{Kind: commandNext})
	return err
}

// SetPace changes the pace of the rest of a run. It fails with ErrNotLive.
func (s *Service) SetPace(runID string, p Pace) error {
	_, err := s.command(context.Background(), runID, command{Kind: commandPace, Pace: p})
	return err
}

// State returns a run's pace and what the run waits for. It fails with ErrNotLive.
func (s *Service) State(runID string) (State, error) {
	if e, err := s.find(runID); err == nil {
		return e.pace.current(), nil
	}
	other, err := s.findOther(runID)
	if err != nil {
		return State{}, err
	}
	return other.State, nil
}

// Watch follows a run's state; the cursor returns io.EOF when the run has ended.
// It fails with ErrNotLive.
func (s *Service) Watch(runID string) (*trace.Cursor[State], error) {
	if e, err := s.find(runID); err == nil {
		return e.pace.states.From(0), nil
	}
	other, err := s.findOther(runID)
	if err != nil {
		return nil, err
	}
	return other.states.From(0), nil
}

// Cancel stops a run, which then releases its tokens without waiting for the
// presenter. The trace shows by and reason. It fails with ErrNotLive.
func (s *Service) Cancel(runID, by, reason string) error {
	_, err := s.command(context.Background(), runID, command{Kind: commandCancel, By: by, Reason: reason})
	return err
}

// Stolen returns the token that the attacker has copied in a run with a theft,
// until it is released. This is the only method that returns a token; callers must
// restrict it to the presenter. It fails with ErrNotLive, and with ErrNoToken for
// every other run.
func (s *Service) Stolen(runID string) (string, error) {
	r, err := s.command(context.Background(), runID, command{Kind: commandStolen})
	return r.Stolen, err
}

// Live returns the IDs of the live runs, sorted by ID.
func (s *Service) Live() []string {
	ids := []string{}
	for _, e := range s.encounters() {
		ids = append(ids, e.id)
	}
	for _, r := range s.others.list() {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// CancelAll cancels every run that is live now and waits until they have ended
// and released their tokens, or for ctx. It returns their number, and an error if
// other replicas may have runs that are not known here.
func (s *Service) CancelAll(ctx context.Context, by, reason string) (int, error) {
	unknown := s.refresh(ctx)
	live := s.Live()
	var asked sync.WaitGroup
	for _, id := range live {
		// The run of a replica that does not answer ends because it is taken over.
		asked.Go(func() { _ = s.Cancel(id, by, reason) })
	}
	asked.Wait()
	for _, id := range live {
		if err := s.Wait(ctx, id); err != nil && !errors.Is(err, trace.ErrNotFound) {
			return len(live), fmt.Errorf("agents: runs are still releasing their tokens: %w", err)
		}
	}
	if unknown != nil {
		return len(live), fmt.Errorf("agents: read the runs of other replicas: %w", unknown)
	}
	return len(live), nil
}

// Shutdown refuses further runs, cancels the live ones of this replica and waits
// until their tokens are released, or for ctx.
func (s *Service) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.others.leave()
	live := s.encounters()
	for _, e := range live {
		e.cancel(&cancellation{"shutdown", "The program is stopping."})
	}
	for _, e := range live {
		select {
		case <-e.done:
		case <-ctx.Done():
			return fmt.Errorf("agents: runs are still releasing their tokens: %w", ctx.Err())
		}
	}
	return nil
}
