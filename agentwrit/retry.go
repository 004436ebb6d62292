package agentwrit

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Bounds of repeating.
const (
	maxAttempts = 4
	firstDelay  = 50 * time.Millisecond
	maxDelay    = 2 * time.Second // a longer Retry-After is the caller's to wait
)

// retry calls f until it succeeds, fails for good, or attempts are used up. An
// unsafe call is repeated only when the broker said that it did nothing: 429,
// or a 503 of its own.
func retry(ctx context.Context, safe bool, f func() error) error {
	delay := firstDelay
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil || attempt == maxAttempts || !repeatable(err, safe) {
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

func repeatable(err error, safe bool) bool {
	var e *Error
	if !errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	switch {
	case errors.Is(err, ErrRateLimited):
		return true
	case errors.Is(err, ErrUnavailable):
		return safe || e.Code == "unavailable"
	case errors.Is(err, ErrTransport), errors.Is(err, ErrServer):
		return safe
	}
	return false
}

// sleep waits, and reports false when ctx ended first.
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
