package stage

import (
	"sync"
	"time"

	"github.com/devonartis/medassist-go/talk"
)

// progress is where the talk stands: which act, and how much time has passed.
// Safe for concurrent use.
type progress struct {
	now func() time.Time

	mu      sync.Mutex
	version int           // length of the talk in minutes
	act     int           // index into the acts of that version
	elapsed time.Duration // on the timer, until started
	started time.Time     // zero while the timer is paused
}

func newProgress(now func() time.Time) *progress {
	return &progress{now: now, version: talk.Versions[0]}
}

// acts returns the acts of the version. The caller holds the lock.
func (p *progress) acts() []talk.Act { return talk.Acts(p.version) }

// view returns where the talk stands.
func (p *progress) view() Talk {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := Talk{Version: p.version, Acts: p.acts(), At: p.act, Timer: p.elapsed, Running: !p.started.IsZero()}
	if v.Running {
		v.Timer += p.now().Sub(p.started)
	}
	return v
}

// choose changes the version and goes to an act, or to the last act of the
// version if there is no such act.
func (p *progress) choose(version, act int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.version = version
	if act >= 0 && act < len(p.acts()) {
		p.act = act
	}
	p.act = min(p.act, len(p.acts())-1)
}

// startTimer starts the timer, unless it was started before.
func (p *progress) startTimer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.elapsed == 0 && p.started.IsZero() {
		p.started = p.now()
	}
}

// toggleTimer pauses or resumes the timer.
func (p *progress) toggleTimer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.started.IsZero() {
		p.started = p.now()
	} else {
		p.elapsed, p.started = p.elapsed+p.now().Sub(p.started), time.Time{}
	}
}

// resetTimer stops the timer at zero.
func (p *progress) resetTimer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.elapsed, p.started = 0, time.Time{}
}
