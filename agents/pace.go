package agents

import (
	"fmt"
	"strings"
	"time"
)

// Pace is the speed at which a run goes from step to step. The zero Pace is
// [Instant].
type Pace struct {
	pause time.Duration
	step  bool
}

// The paces without a parameter.
var (
	// Instant does not wait.
	Instant = Pace{}
	// Step waits for [Service.Next] before each step that contacts the broker
	// or the records API. The broker's health and the model are asked at once.
	Step = Pace{step: true}
)

// Bounds of the pause between steps.
const (
	DefaultPause = 800 * time.Millisecond
	minPause     = 50 * time.Millisecond
	maxPause     = 30 * time.Second
)

// Talk returns a pace that pauses before each step, so that the presenter can
// explain it.
func Talk(pause time.Duration) Pace { return Pace{pause: min(max(pause, minPause), maxPause)} }

// ParsePace parses "instant", "talk", "talk:800ms" or "step". The empty string
// means instant.
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

// String returns the form that [ParsePace] parses.
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

// MarshalText implements encoding.TextMarshaler.
func (p Pace) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; see [ParsePace].
func (p *Pace) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePace(string(text))
	return err
}

// State describes a live run's pace and what it waits for.
type State struct {
	Pace    Pace   `json:"pace"`
	Waiting string `json:"waiting,omitempty"` // the step that waits for Next; empty if the run is not waiting
}
