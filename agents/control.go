package agents

import (
	"context"
	"fmt"
	"slices"

	"github.com/devonartis/medassist-go/trace"
)

// Wait returns when the run has ended and its tokens are released. It fails with
// trace.ErrNotFound for a run that does not exist, and with ctx's error.
func (s *Service) Wait(ctx context.Context, runID string) error {
	e, err := s.find(runID)
	if err != nil {
		_, err := s.cfg.Log.Run(ctx, runID)
		return err
	}
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
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
	e, err := s.find(runID)
	if err != nil {
		return State{}, err
	}
	return e.pace.current(), nil
}

// Watch follows a run's state; the cursor returns io.EOF when the run has ended.
// It fails with ErrNotLive.
func (s *Service) Watch(runID string) (*trace.Cursor[State], error) {
	e, err := s.find(runID)
	if err != nil {
		return nil, err
	}
	return e.pace.states.From(0), nil
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
	slices.Sort(ids)
	return ids
}

// CancelAll cancels every run that is live now and waits until they have ended
// and released their tokens, or for ctx. It returns their number.
func (s *Service) CancelAll(ctx context.Context, by, reason string) (int, error) {
	live := s.encounters()
	for _, e := range live {
		e.cancel(&cancellation{by, reason})
	}
	for _, e := range live {
		select {
		case <-e.done:
		case <-ctx.Done():
			return len(live), fmt.Errorf("agents: runs are still releasing their tokens: %w", ctx.Err())
		}
	}
	return len(live), nil
}

// Shutdown refuses further runs, cancels the live ones and waits until their
// tokens are released, or for ctx.
func (s *Service) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	_, err := s.CancelAll(ctx, "shutdown", "The program is stopping.")
	return err
}
