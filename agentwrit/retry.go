package agentwrit

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Limits on retries.
const (
	maxAttempts = 4
	firstDelay  = 50 * time.Millisecond
	maxDelay    = 2 * time.Second // a longer Retry-After is left to the caller

	maxPatientDelay = 500 * time.Millisecond
)

// retry calls f until it succeeds, fails for good, or has been tried
// maxAttempts times. A call that is not safe to repeat is retried only if the
// broker reported that it did nothing: 429, or 503 with its own error code.
func retry(ctx context.Context, safe bool, f func() error) error {
	delay := firstDelay
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil || attempt == maxAttempts || !retryable(err, safe) {
			return err
		}
		wait := delay/2 + rand.N(delay)
		var e *Error
		if errors.As(err, &e) && e.RetryAfter > 0 {
			wait = e.RetryAfter
		}
		if wait > maxDelay || !sleep(ctx, wait) {
			return err
		}
		delay *= 2
	}
}

// doPatiently sends a call and repeats it, with growing and random delays, as
// long as it fails with an error that k.temporary accepts. It gives up when ctx
// ends or the client's timeout has passed. Other failures are handled as in
// retry.
func (c *client) doPatiently(ctx context.Context, k call) error {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	delay := firstDelay
	for {
		err := retry(ctx, k.safe, func() error { return c.once(ctx, k) })
		var e *Error
		if !errors.As(err, &e) || !k.temporary(e) || !sleep(limited, delay/2+rand.N(delay)) {
			return err
		}
		delay = min(2*delay, maxPatientDelay)
	}
}

func retryable(err error, safe bool) bool {
	var e *Error
	if !errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	switch e.Kind {
	case ErrRateLimited:
		return true
	case ErrUnavailable:
		return safe || e.Code == CodeUnavailable
	case ErrTransport, ErrServer:
		return safe
	}
	return false
}

// sleep waits for d. It returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
