package agents

import (
	"cmp"
	"sync"
	"time"
)

// Limits bounds what a run and a service may use. A zero field takes the default
// given beside it.
type Limits struct {
	LiveRuns     int // 64: further runs are refused with ErrBusy; each replica counts its own
	Turns        int // 10: turns of the model in one run
	CallsPerTurn int // 24: tool calls in one reply
	Calls        int // 60: tool calls in one run
	TraceSteps   int // 6,000: steps in one run's trace
	TraceBytes   int // 4 MiB: encoded steps of one run's trace

	ModelCall  time.Duration // 10 minutes: one reply of the model, retries included; silence ends it sooner
	ToolCall   time.Duration // 10 s: one call of the records API
	BrokerCall time.Duration // 5 s: one call of the broker
	RateLimit  time.Duration // 2 minutes: waits before one call that the broker refuses for the moment
	Cleanup    time.Duration // 3 s: one call of the broker while tokens are released

	// Run is 20 minutes: the time that a run may work, long enough for a model
	// on a laptop. Time spent waiting for the presenter does not count.
	Run time.Duration
	// Stay is one hour: the time after which a run is ended, waiting included.
	Stay time.Duration
}

func (l Limits) withDefaults() Limits {
	return Limits{
		LiveRuns:     cmp.Or(l.LiveRuns, 64),
		Turns:        cmp.Or(l.Turns, 10),
		CallsPerTurn: cmp.Or(l.CallsPerTurn, 24),
		Calls:        cmp.Or(l.Calls, 60),
		TraceSteps:   cmp.Or(l.TraceSteps, 6000),
		TraceBytes:   cmp.Or(l.TraceBytes, 4<<20),
		ModelCall:    cmp.Or(l.ModelCall, 10*time.Minute),
		ToolCall:     cmp.Or(l.ToolCall, 10*time.Second),
		BrokerCall:   cmp.Or(l.BrokerCall, 5*time.Second),
		RateLimit:    cmp.Or(l.RateLimit, 2*time.Minute),
		Cleanup:      cmp.Or(l.Cleanup, 3*time.Second),
		Run:          cmp.Or(l.Run, 20*time.Minute),
		Stay:         cmp.Or(l.Stay, time.Hour),
	}
}

// allowance is a budget of working time. It can be paused while the run waits.
type allowance struct {
	mu    sync.Mutex
	left  time.Duration
	since time.Time // when it was last started
	timer *time.Timer
}

// newAllowance starts an allowance of d. When it is used up, spent is called in
// its own goroutine.
func newAllowance(d time.Duration, spent func()) *allowance {
	return &allowance{left: d, since: time.Now(), timer: time.AfterFunc(d, spent)}
}

// pause stops the clock until resume is called.
func (a *allowance) pause() (resume func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer.Stop() {
		a.left -= time.Since(a.since)
	} else {
		a.left = 0
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.since = time.Now()
		a.timer.Reset(max(a.left, 0))
	}
}

// stop stops the clock permanently.
func (a *allowance) stop() { a.timer.Stop() }
