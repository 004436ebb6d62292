package agents

import (
	"cmp"
	"sync"
	"time"
)

// Limits bound what a run and a service may use. A zero field takes the value
// given beside it.
type Limits struct {
	LiveRuns     int // 32: more are refused with ErrBusy
	Turns        int // 10: times that the model is asked
	CallsPerTurn int // 24: tool calls in one reply
	Calls        int // 60: tool calls in one run

	ModelCall  time.Duration // 60 s: one reply of the model, whole
	ToolCall   time.Duration // 10 s: one call of the records API
	BrokerCall time.Duration // 5 s: one call of the broker
	Cleanup    time.Duration // 3 s: the same, when tokens are ended

	// Run is 3 minutes: the time that a run may work. Waiting for the
	// presenter does not count.
	Run time.Duration
	// Stay is an hour: the time that a run may exist.
	Stay time.Duration
}

func (l Limits) withDefaults() Limits {
	return Limits{
		LiveRuns:     cmp.Or(l.LiveRuns, 32),
		Turns:        cmp.Or(l.Turns, 10),
		CallsPerTurn: cmp.Or(l.CallsPerTurn, 24),
		Calls:        cmp.Or(l.Calls, 60),
		ModelCall:    cmp.Or(l.ModelCall, time.Minute),
		ToolCall:     cmp.Or(l.ToolCall, 10*time.Second),
		BrokerCall:   cmp.Or(l.BrokerCall, 5*time.Second),
		Cleanup:      cmp.Or(l.Cleanup, 3*time.Second),
		Run:          cmp.Or(l.Run, 3*time.Minute),
		Stay:         cmp.Or(l.Stay, time.Hour),
	}
}

// allowance is working time that runs out. It can be held, while someone else
// is waited for.
type allowance struct {
	mu    sync.Mutex
	left  time.Duration
	since time.Time // when it last began to run
	timer *time.Timer
}

// newAllowance starts the clock; spent is called, in a goroutine of its own,
// when the time is up.
func newAllowance(d time.Duration, spent func()) *allowance {
	return &allowance{left: d, since: time.Now(), timer: time.AfterFunc(d, spent)}
}

// hold stops the clock until go on is called.
func (a *allowance) hold() (goOn func()) {
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

// end stops the clock for good.
func (a *allowance) end() { a.timer.Stop() }
