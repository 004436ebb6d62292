package stage

import (
	"time"

	"github.com/a-h/templ"

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
func (t Talk) Due() time.Duration {
	var sum int
	for _, a := range t.Acts[:t.At+1] {
		sum += a.Minutes
	}
	return time.Duration(sum) * time.Minute
}

// Present is the presenter's page.
type Present struct {
	ui.Page
	Talk  Talk
	RunID string          // on the stage; empty before the first
	Run   templ.Component // nil before the first
}

// Follow is a page that shows what is on the stage.
type Follow struct {
	ui.Page
	RunID string          // empty before the first
	Run   templ.Component // nil before the first
}
