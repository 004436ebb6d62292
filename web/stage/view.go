package stage

import (
	"time"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/talk"
	"github.com/devonartis/medassist-go/web/ui"
)

// Talk is where a talk stands.
type Talk struct {
	Version int // length in minutes
	Acts    []talk.Act
	At      int // index of the current act
	Timer   time.Duration
	Running bool // the timer is
}

// Act returns the current act.
func (t Talk) Act() talk.Act { return t.Acts[t.At] }

// Next returns the act after the current one, and nil after the last.
func (t Talk) Next() *talk.Act {
	if t.At+1 >= len(t.Acts) {
		return nil
	}
	return &t.Acts[t.At+1]
}

// Due returns when the current act should end, from the start of the talk.
func (t Talk) Due() time.Duration { return minutes(t.Acts[:t.At+1]) }

// Length returns how long the talk should take.
func (t Talk) Length() time.Duration { return minutes(t.Acts) }

func minutes(acts []talk.Act) time.Duration {
	var sum int
	for _, a := range acts {
		sum += a.Minutes
	}
	return time.Duration(sum) * time.Minute
}

// Present is the presenter's page.
type Present struct {
	ui.Page
	Talk   Talk
	Scene  string // on the stage, as HTML
	Stream string // address of its changes
	Look   Look
	Pages  []Page

	No          int    // of the act on the stage; 0 for none
	OnPage      string // path of the page on the stage
	RunID       string // on the stage; empty before the act runs
	Live        bool   // the run goes on
	Stepping    bool   // it was told to go on, and has not yet reached what the room sees next
	Waiting     string // what it waits to do
	Pace        string
	Step, Steps int // shown, and so far
	Judged      *scenario.Verdict

	Health     string // of the broker; empty if it is unreachable
	HealthTook time.Duration
	Followers  int64       // phones
	Audit      *AuditCheck // nil if the broker's log can't be read
}

// An AuditCheck tells whether the hash chain of the broker's audit log is intact.
type AuditCheck struct {
	Events int64 // that are verified
	Broken bool
	Away   bool // the broker did not answer
}

// fill takes what the page shows of the stage.
func (p *Present) fill(st state, s Scene, now time.Time) {
	p.Talk, p.Look, p.No, p.OnPage = st.Talk.view(now), st.Look, st.Act.No, st.Page.Path
	if s.Run != nil {
		p.RunID, p.Live, p.Waiting, p.Pace = s.Run.Info.ID, s.Run.Live(), s.Run.Waiting, s.Run.Pace
		p.Step, p.Steps, p.Judged = s.Run.Step(), s.Run.Steps, s.Run.Judged()
	}
}

// An Advance is how the talk goes on.
type Advance string

// The ways in which the talk goes on.
const (
	Unblank  Advance = "unblank" // show the stage again
	Forward  Advance = "forward" // a step forward, after going back
	RunAct   Advance = "run"
	ShowPage Advance = "page"
	NextStep Advance = "step"
	NextAct  Advance = "act"
	Wait     Advance = "wait" // the run goes on by itself
	End      Advance = "end"
	// ClosePage returns to the run that a page covers.
	ClosePage Advance = "close"
)

// Next returns how the talk goes on.
func (p *Present) Next() Advance {
	act := p.Talk.Act()
	switch {
	case p.Look.Blank:
		return Unblank
	case p.OnPage != "" && act.Page == "":
		return ClosePage
	case p.Step < p.Steps:
		return Forward
	case p.Live && p.Waiting != "" && !p.Stepping:
		return NextStep
	case p.Live:
		return Wait
	case act.Page != "" && p.OnPage == "":
		return ShowPage
	case act.Page == "" && (p.RunID == "" || p.No != act.No):
		return RunAct
	case p.Talk.Next() != nil:
		return NextAct
	default:
		return End
	}
}
