package agents

import (
	"context"
	"fmt"
)

// CancelAll cancels every live run and returns when they have ended, their
// tokens too, or with ctx's error. It says how many there were. Runs that start
// meanwhile are not among them.
func (s *Service) CancelAll(ctx context.Context, by, reason string) (int, error) {
	s.mu.Lock()
	live := make([]*encounter, 0, len(s.live))
	for _, e := range s.live {
		live = append(live, e)
	}
	s.mu.Unlock()
	for _, e := range live {
		e.cancel(&cancellation{by, reason})
	}
	for _, e := range live {
		select {
		case <-e.done:
		case <-ctx.Done():
			return len(live), fmt.Errorf("agents: runs are still ending their tokens: %w", ctx.Err())
		}
	}
	return len(live), nil
}
