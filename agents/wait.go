package agents

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
)

// Limits on waiting for a broker that can't serve at the moment.
const (
	firstBusyWait = 250 * time.Millisecond
	maxBusyWait   = 2 * time.Second
	maxBusy       = 15 * time.Second // of all waits for one operation
	shownWait     = time.Second      // for other runs, before it is shown
)

// maxIssuing is the number of tokens that are issued at once. More would wait at
// the broker, where the time limit of a call counts.
const maxIssuing = 8

// patiently calls f, and calls it again after a wait that the trace shows, as long
// as the broker refuses it only for the moment. It returns the last error once the
// waits would exceed their limit, and the cause if the run is cancelled.
func (e *encounter) patiently(ctx context.Context, operation string, f func() error) error {
	busy := firstBusyWait
	for waited := time.Duration(0); ; {
		err := f()
		wait, limit := e.waitFor(err, busy)
		if wait == 0 || waited+wait > limit {
			return err
		}
		reason := describeBrokerError(err).reason
		e.rec.add(ctx, trace.StatusWarning, fmt.Sprintf("Broker busy: waiting %s to %s (%s at most)", text.Duration(wait), operation, text.Duration(limit)),
			trace.BrokerWait{Operation: operation, Reason: reason, WaitMS: wait.Milliseconds(), LimitMS: limit.Milliseconds()})
		e.pace.sleep(ctx, wait, nil)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		waited += wait
		busy = min(2*busy, maxBusyWait)
	}
}

// waitFor returns how long to wait before a failed request is repeated, and the
// limit of all waits; 0 if it must not be repeated. A request that may have issued
// a token is never repeated.
func (e *encounter) waitFor(err error, busy time.Duration) (wait, limit time.Duration) {
	var be *agentwrit.Error
	switch {
	case !errors.As(err, &be) || agentwrit.MayHaveIssued(err):
		return 0, 0
	case errors.Is(err, agentwrit.ErrRateLimited) && !be.RetryAt.IsZero():
		return max(be.RetryAt.Sub(e.Clock()), busy), e.Limits.RateLimit
	case errors.Is(err, agentwrit.ErrRateLimited), errors.Is(err, agentwrit.ErrUnavailable):
		return busy, min(maxBusy, e.Limits.RateLimit)
	}
	return 0, 0
}

// queue waits until the broker has issued the tokens of other runs, and shows a
// wait that is long. The caller must call leave. It fails only if the run is
// cancelled.
func (e *encounter) queue(ctx context.Context, operation string) (leave func(), err error) {
	issuing := e.service.issuing
	leave = func() { <-issuing }
	select {
	case issuing <- struct{}{}:
		return leave, nil
	default:
	}
	resume := e.pace.allowance.pause()
	defer resume()
	timer := time.NewTimer(shownWait)
	defer timer.Stop()
	for {
		select {
		case issuing <- struct{}{}:
			return leave, nil
		case <-timer.C:
			e.rec.add(ctx, trace.StatusInfo, "Waiting for other runs before this one can "+operation, trace.BrokerWait{Operation: operation,
				Reason: fmt.Sprintf("at most %d tokens are issued at once", maxIssuing), WaitMS: shownWait.Milliseconds()})
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
