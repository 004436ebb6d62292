package twin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/devonartis/medassist-go/internal/values"
)

// Bounds of the results.
const (
	kept           = 20               // comparisons
	saveTimeout    = 5 * time.Second  // for one try to save a result
	saveAgain      = time.Second      // between two tries
	saveTries      = 60               // of the result of a comparison that has ended
	abandonedAfter = 10 * time.Second // after the end of its run, a comparison that still runs has failed
)

// newest is the comparison that was started last. Its result and those of the last
// ones that ended are values that the replicas of the app share.
type newest struct {
	Result Result   `json:"result"`
	IDs    []string `json:"ids"`  // of the comparisons in the slots
	Next   int      `json:"next"` // the slot of the next comparison
}

// slot returns the value that holds the result of an ended comparison.
func (s *Service) slot(i int) *values.Value[Result] {
	return values.New(s.cfg.Values, fmt.Sprintf("comparison.%d", i), Result{}, s.cfg.Logger)
}

// add makes a comparison the newest one. It fails with ErrBusy while another one is
// running, at any replica.
func (s *Service) add(ctx context.Context, r Result) error {
	_, _, err := s.newest.Update(ctx, func(n *newest) error {
		if s.settle(ctx, n.Result).Live() {
			return ErrBusy
		}
		if n.Result = r; len(n.IDs) < kept {
			n.IDs = append(n.IDs, r.ID)
		} else {
			n.IDs[n.Next] = r.ID
		}
		n.Next = (n.Next + 1) % kept
		return nil
	})
	return err
}

// publish makes a result the current state of its comparison. That of a comparison
// that has ended is saved again until it succeeds or the service closes.
func (s *Service) publish(ctx context.Context, r Result) {
	for try := 1; ; try++ {
		err := s.save(ctx, r)
		if err == nil {
			return
		}
		if r.Live() || try == saveTries || s.closing.Err() != nil {
			s.cfg.Logger.ErrorContext(ctx, "the result of a comparison can't be saved", "comparison", r.ID, "error", err)
			return
		}
		select {
		case <-time.After(saveAgain):
		case <-s.closing.Done():
		}
	}
}

func (s *Service) save(ctx context.Context, r Result) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	n, _, err := s.newest.Update(ctx, func(n *newest) error {
		if n.Result.ID == r.ID {
			n.Result = r
		}
		return nil
	})
	if i := slices.Index(n.IDs, r.ID); err == nil && i >= 0 && !r.Live() {
		_, _, err = s.slot(i).Update(ctx, func(old *Result) error { *old = r; return nil })
	}
	return err
}

// settle returns a result as it stands. A comparison whose replica has stopped ends
// with its run.
func (s *Service) settle(ctx context.Context, r Result) Result {
	if !r.Live() {
		return r
	}
	run, err := s.cfg.Log.Run(ctx, r.RunID)
	if err == nil && !run.Live() && s.cfg.Clock().Sub(run.Ended) > abandonedAfter {
		r.Phase, r.Problem, r.Ended = Failed, "The server that made this comparison has stopped.", run.Ended
	}
	return r
}

// Result returns a comparison. It fails with ErrNotFound.
func (s *Service) Result(ctx context.Context, id string) (Result, error) {
	n, _, err := s.newest.Load(ctx)
	if err != nil {
		return Result{}, err
	}
	if n.Result.ID == id && id != "" {
		return s.settle(ctx, n.Result), nil
	}
	i := slices.Index(n.IDs, id)
	if i < 0 {
		return Result{}, ErrNotFound
	}
	r, _, err := s.slot(i).Load(ctx)
	if err == nil && r.ID != id { // its replica has stopped
		err = ErrNotFound
	}
	return r, err
}

// Latest returns the comparison that was started last, and false if there is none.
func (s *Service) Latest(ctx context.Context) (Result, bool) {
	n, _ := s.newest.Current()
	return s.settle(ctx, n.Result), n.Result.ID != ""
}
