package view

import (
	"time"

	"github.com/devonartis/medassist-go/talk"
)

// Talk is where a talk stands.
type Talk struct {
	Version int // minutes in all
	Acts    []talk.Act
	At      int    // index of the current act
	Run     string // on the stage; empty before the first
	Timer   time.Duration
	Running bool
}

// Act is the current one.
func (t Talk) Act() talk.Act { return t.Acts[t.At] }

// Next is the act after it; nil after the last.
func (t Talk) Next() *talk.Act {
	if t.At+1 >= len(t.Acts) {
		return nil
	}
	return &t.Acts[t.At+1]
}

// Due is when the current act should end, from the talk's begin.
func (t Talk) Due() time.Duration {
	var sum int
	for _, a := range t.Acts[:t.At+1] {
		sum += a.Minutes
	}
	return time.Duration(sum) * time.Minute
}

// Present is the presenter's page.
type Present struct {
	Page
	Talk Talk
	Run  *Run // on the stage; nil before the first
}

// Link is the address for the audience.
type Link struct {
	Page
	URL  string // empty when nobody else can reach the page
	Size int    // of the QR code, in dots
	Dots [][2]int
}

// versions are the lengths of talk to choose from.
var versions = talk.Versions
