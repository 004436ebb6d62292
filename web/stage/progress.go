package stage

import (
	"time"

	"github.com/devonartis/medassist-go/talk"
)

// progress is where the talk stands: which act, and how much time has passed.
type progress struct {
	Version int           `json:"version"`          // length of the talk in minutes
	Act     int           `json:"act"`              // index into the acts of that version
	Elapsed time.Duration `json:"elapsed"`          // on the timer, until started
	Started time.Time     `json:"started,omitzero"` // zero while the timer is paused
}

func newProgress() progress { return progress{Version: talk.Versions[0]} }

func (p *progress) acts() []talk.Act { return talk.Acts(p.Version) }

// view returns where the talk stands at a time.
func (p *progress) view(now time.Time) Talk {
	v := Talk{Version: p.Version, Acts: p.acts(), At: p.Act, Timer: p.Elapsed, Running: !p.Started.IsZero()}
	if v.Running {
		v.Timer += now.Sub(p.Started)
	}
	return v
}

// choose changes the version and goes to an act, or to the last act of the
// version if there is no such act.
func (p *progress) choose(version, act int) {
	p.Version = version
	if act >= 0 && act < len(p.acts()) {
		p.Act = act
	}
	p.Act = min(p.Act, len(p.acts())-1)
}

// startTimer starts the timer, unless it was started before.
func (p *progress) startTimer(now time.Time) {
	if p.Elapsed == 0 && p.Started.IsZero() {
		p.Started = now
	}
}

// toggleTimer pauses or resumes the timer.
func (p *progress) toggleTimer(now time.Time) {
	if p.Started.IsZero() {
		p.Started = now
	} else {
		p.Elapsed, p.Started = p.Elapsed+now.Sub(p.Started), time.Time{}
	}
}

// resetTimer stops the timer at zero.
func (p *progress) resetTimer() { p.Elapsed, p.Started = 0, time.Time{} }
