package view

import (
	"strconv"
	"strings"
	"time"
)

// pauses are those of a talking pace that the page offers; any other is rounded
// to the next one when it is changed.
var pauses = []time.Duration{500 * time.Millisecond, 800 * time.Millisecond, 1200 * time.Millisecond, 2 * time.Second, 3 * time.Second, 5 * time.Second}

// usualPause is where a talk begins.
const usualPause = 800 * time.Millisecond

// Tempo is a pace as the page shows it.
type Tempo struct {
	Name  string        // "instant", "talk" or "step"
	Pause time.Duration // of a talking pace
}

// ReadTempo reads a pace as agents writes it.
func ReadTempo(pace string) Tempo {
	name, rest, _ := strings.Cut(pace, ":")
	t := Tempo{Name: name}
	if name == "talk" {
		t.Pause = usualPause
		if d, err := time.ParseDuration(rest); err == nil {
			t.Pause = d
		}
	}
	return t
}

// Slower is the pace with the next longer pause, Faster that with the next
// shorter one; at the end of what is offered they are the pace itself.
func (t Tempo) Slower() string {
	for _, p := range pauses {
		if p > t.Pause {
			return talkPace(p)
		}
	}
	return talkPace(t.Pause)
}

// Faster is described at Slower.
func (t Tempo) Faster() string {
	for i := len(pauses) - 1; i >= 0; i-- {
		if pauses[i] < t.Pause {
			return talkPace(pauses[i])
		}
	}
	return talkPace(t.Pause)
}

func talkPace(pause time.Duration) string { return "talk:" + pause.String() }

// seconds is the pause as the page writes it: "0.8 s".
func (t Tempo) seconds() string { return strconv.FormatFloat(t.Pause.Seconds(), 'f', -1, 64) + " s" }
