package run

import (
	"strconv"
	"strings"
	"time"
)

// pauses are the pauses of a talking pace that the page offers. A change from any
// other pause goes to the next of these.
var pauses = []time.Duration{500 * time.Millisecond, 800 * time.Millisecond, 1200 * time.Millisecond, 2 * time.Second, 3 * time.Second, 5 * time.Second}

// usualPause is the pause of a talking pace that names none.
const usualPause = 800 * time.Millisecond

// Tempo is a pace as the page shows it.
type Tempo struct {
	Name  string        // "instant", "talk" or "step"
	Pause time.Duration // of a talking pace
}

// ReadTempo parses a pace as package agents writes it.
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

// Slower returns the pace with the next longer pause. After the longest it
// returns the pace itself.
func (t Tempo) Slower() string {
	for _, p := range pauses {
		if p > t.Pause {
			return talkPace(p)
		}
	}
	return talkPace(t.Pause)
}

// Faster returns the pace with the next shorter pause. After the shortest it
// returns the pace itself.
func (t Tempo) Faster() string {
	for i := len(pauses) - 1; i >= 0; i-- {
		if pauses[i] < t.Pause {
			return talkPace(pauses[i])
		}
	}
	return talkPace(t.Pause)
}

func talkPace(pause time.Duration) string { return "talk:" + pause.String() }

// seconds returns the pause as the page shows it: "0.8 s".
func (t Tempo) seconds() string { return strconv.FormatFloat(t.Pause.Seconds(), 'f', -1, 64) + " s" }
