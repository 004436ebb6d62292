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
)

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
		e.rec.add(ctx, trace.StatusWarning, fmt.Sprintf("Broker busy: waiting %s to %s (%s at most)", text.Duration(wait), operation, limit),
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
