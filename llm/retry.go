package llm

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"
)

// Bounds on repeating a request of which nothing has been shown.
const (
	firstDelay   = 500 * time.Millisecond // doubled for each further try
	maxDelay     = 8 * time.Second
	maxWaiting   = 60 * time.Second  // all waits of one turn
	maxLoading   = 180 * time.Second // the same, while a server says that it loads the model
	shownFrom    = time.Second       // waits shorter than this are not reported
	failedTries  = 3                 // after a failure of the server or the model
	limitedTries = 7                 // after "too many requests" and "overloaded"
)

// retrier decides whether a turn that failed is put to the server once more.
type retrier struct {
	delay  time.Duration // before the second try
	tries  int
	waited time.Duration
}

// next returns how long to wait before the next try; false if there is none.
// It may add to the error why there is none.
func (r *retrier) next(e *Error) (wait, limit time.Duration, ok bool) {
	r.tries++
	tries, limit := 0, maxWaiting
	switch e.Kind {
	case KindInterrupted, KindEmpty:
		tries = failedTries
	case KindUnreachable:
		if e.dial {
			tries = failedTries
		}
	case KindRateLimited:
		tries = limitedTries
	case KindServer:
		tries = statusTries(e)
	}
	if e.Status == http.StatusServiceUnavailable && loadingWords.MatchString(e.said.message) {
		tries, limit = 1<<10, maxLoading
	}
	if r.tries >= tries {
		return 0, limit, false
	}
	wait = min(r.delay<<min(r.tries-1, 10), maxDelay)
	wait += time.Duration(rand.Int64N(int64(wait)/4 + 1)) // so that many clients do not come back at once
	if asked := e.said.wait; asked > 0 {
		if r.waited+asked > limit {
			e.waitTooLong(asked, limit)
			return 0, limit, false
		}
		wait = asked + time.Duration(rand.Int64N(int64(r.delay)/5+1))
	}
	if r.waited+wait > limit {
		return 0, limit, false
	}
	r.waited += wait
	return wait, limit, true
}

// statusTries returns how often a request is tried that failed like this.
func statusTries(e *Error) int {
	switch {
	case e.said.code == "tool_use_failed": // Groq: the model wrote a bad call
		return failedTries
	case e.Status == 529: // "overloaded", of Anthropic
		return limitedTries
	case e.Status == http.StatusServiceUnavailable, e.Status == http.StatusTooManyRequests:
		return limitedTries
	case e.Status == http.StatusRequestTimeout, e.Status == http.StatusInternalServerError,
		e.Status == http.StatusBadGateway, e.Status == http.StatusGatewayTimeout,
		e.Status >= 520 && e.Status <= 524: // of Cloudflare
		return failedTries
	}
	return 0
}

// sleep waits, or returns early with an error when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
