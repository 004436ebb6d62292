package agents

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// Pace is how fast a run goes on from step to step. The zero Pace is instant.
type Pace struct {
	pause time.Duration
	step  bool
}

// The paces.
var (
	// Instant waits for nothing.
	Instant = Pace{}
	// Step waits for [Service.Next] before each step that asks the broker or
	// the records. The broker's health is asked at once, and so is the model.
	Step = Pace{step: true}
)

// Bounds of a talking pace's pause.
const (
	DefaultPause = 800 * time.Millisecond
	minPause     = 50 * time.Millisecond
	maxPause     = 30 * time.Second
)

// Talk pauses before each step, for someone to say what it is.
func Talk(pause time.Duration) Pace { return Pace{pause: min(max(pause, minPause), maxPause)} }

// ParsePace reads "instant", "talk", "talk:800ms" or "step"; empty means
// instant.
func ParsePace(s string) (Pace, error) {
	name, pause, given := strings.Cut(s, ":")
	switch {
	case name == "talk" && given:
		d, err := time.ParseDuration(pause)
		if err != nil || d < minPause || d > maxPause {
			return Pace{}, fmt.Errorf("the pause must be %s to %s, such as talk:800ms", minPause, maxPause)
		}
		return Talk(d), nil
	case given:
	case name == "", name == "instant":
		return Instant, nil
	case name == "talk":
		return Talk(DefaultPause), nil
	case name == "step":
		return Step, nil
	}
	return Pace{}, fmt.Errorf("use instant, talk, talk:800ms or step")
}

// String is the form that [ParsePace] reads.
func (p Pace) String() string {
	switch {
	case p.step:
		return "step"
	case p.pause > 0:
		return "talk:" + p.pause.String()
	default:
		return "instant"
	}
}

// State is what a live run is doing about its pace.
type State struct {
	Pace    Pace
	Waiting string // what it waits to do, until Next; empty while it goes on
}

// pacer holds a run back. One goroutine waits in it; any may change the pace.
type pacer struct {
	allowance *allowance
	states    *trace.Feed[State]

	mu      sync.Mutex
	state   State
	changed chan struct{} // closed when the pace changes
	next    chan struct{} // closed by Next; nil while nothing waits
}

func newPacer(p Pace, a *allowance) *pacer {
	pc := &pacer{allowance: a, states: trace.NewFeed[State](), state: State{Pace: p}, changed: make(chan struct{})}
	pc.states.Append(pc.state)
	return pc
}

// wait returns when the next step may be done, which is at once when ctx is
// over. Holds says whether a stepping pace waits here.
func (p *pacer) wait(ctx context.Context, before string, holds bool) {
	start := time.Now()
	for ctx.Err() == nil {
		p.mu.Lock()
		pace, changed := p.state.Pace, p.changed
		p.mu.Unlock()
		left := pace.pause - time.Since(start)
		switch {
		case pace.step && holds:
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

// hold waits for Next at every pace.
func (p *pacer) hold(ctx context.Context, before string) {
	for ctx.Err() == nil && !p.waitForNext(ctx, before, nil) {
	}
}

// waitForNext reports whether Next was called, and not the pace changed.
func (p *pacer) waitForNext(ctx context.Context, before string, changed <-chan struct{}) bool {
	goOn := p.allowance.hold()
	defer goOn()
	next := make(chan struct{})
	p.waiting(before, next)
	defer p.waiting("", nil)
	select {
	case <-next:
		return true
	case <-changed:
	case <-ctx.Done():
	}
	return false
}

func (p *pacer) waiting(before string, next chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = next
	p.show(State{p.state.Pace, before})
}

// show makes a state the one of now. The caller holds the lock.
func (p *pacer) show(s State) {
	if s != p.state {
		p.state = s
		p.states.Append(s)
	}
}

func (p *pacer) sleep(ctx context.Context, d time.Duration, changed <-chan struct{}) {
	goOn := p.allowance.hold()
	defer goOn()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-ctx.Done():
	}
}

// goOn lets the step go that waits; false when none does.
func (p *pacer) goOn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		return false
	}
	close(p.next)
	p.next = nil
	p.show(State{Pace: p.state.Pace})
	return true
}

// set changes the pace, also for a step that already waits.
func (p *pacer) set(pace Pace) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pace == p.state.Pace {
		return
	}
	close(p.changed)
	p.changed = make(chan struct{})
	p.show(State{pace, p.state.Waiting})
}

func (p *pacer) now() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}
