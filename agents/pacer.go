package agents

import (
	"context"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// pacer delays a run. One goroutine waits in it; any goroutine may change the pace.
type pacer struct {
	allowance *allowance
	states    *trace.Feed[State]
	keyMoment time.Duration // how long the next step waits after a key moment

	mu      sync.Mutex
	state   State
	changed chan struct{} // closed when the pace changes
	next    chan struct{} // closed by advance; nil while nothing waits
	until   time.Time     // the end of the last key moment
}

func newPacer(p Pace, a *allowance) *pacer {
	pc := &pacer{allowance: a, states: trace.NewFeed[State](), state: State{Pace: p}, changed: make(chan struct{})}
	pc.states.Append(pc.state)
	return pc
}

// wait returns when the next step may begin, which is at once if ctx is done. The
// pace Step waits only if stops is true.
func (p *pacer) wait(ctx context.Context, before string, stops bool) {
	start := time.Now()
	for ctx.Err() == nil {
		p.mu.Lock()
		pace, changed, until := p.state.Pace, p.changed, p.until
		p.mu.Unlock()
		left := max(pace.pause-time.Since(start), time.Until(until))
		switch {
		case pace.step && stops:
			if p.waitForNext(ctx, before, changed) {
				return
			}
		case pace.step || left <= 0:
			return
		default:
			p.sleep(ctx, left, changed)
		}
	}
}

// logged delays the next step if the logged one is a key moment: a denial, a
// delegation, a revocation, or the use of a stolen token.
func (p *pacer) logged(step trace.Step) {
	switch step.(type) {
	case trace.ScopeDenied, trace.TokenRejected, trace.DelegationDenied, trace.Delegation, trace.TokenRevoked, trace.StolenTokenUsed:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.until = time.Now().Add(p.keyMoment)
	default: // not a key moment
	}
}

// hold waits for Next, whatever the pace.
func (p *pacer) hold(ctx context.Context, before string) {
	for ctx.Err() == nil && !p.waitForNext(ctx, before, nil) {
	}
}

// waitForNext reports whether it returned because of Next, rather than a changed
// pace or the end of ctx.
func (p *pacer) waitForNext(ctx context.Context, before string, changed <-chan struct{}) bool {
	resume := p.allowance.pause()
	defer resume()
	next := make(chan struct{})
	p.setWaiting(before, next)
	defer p.setWaiting("", nil)
	select {
	case <-next:
		return true
	case <-changed:
	case <-ctx.Done():
	}
	return false
}

func (p *pacer) setWaiting(before string, next chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = next
	p.publish(State{p.state.Pace, before})
}

// publish makes s the current state. The caller holds the lock.
func (p *pacer) publish(s State) {
	if s != p.state {
		p.state = s
		p.states.Append(s)
	}
}

// sleep waits for d, a changed pace or the end of ctx. The time does not count as
// the run's working time.
func (p *pacer) sleep(ctx context.Context, d time.Duration, changed <-chan struct{}) {
	resume := p.allowance.pause()
	defer resume()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-ctx.Done():
	}
}

// advance lets the waiting step begin. It reports whether one was waiting.
func (p *pacer) advance() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		return false
	}
	close(p.next)
	p.next = nil
	p.publish(State{Pace: p.state.Pace})
	return true
}

// set changes the pace, including that of a step that is already waiting.
func (p *pacer) set(pace Pace) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pace == p.state.Pace {
		return
	}
	close(p.changed)
	p.changed = make(chan struct{})
	p.publish(State{pace, p.state.Waiting})
}

// current returns the current state.
func (p *pacer) current() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}
