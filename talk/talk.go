// Package talk holds the acts of the talk that presents the demo: which
// scenario each act runs or which page it shows, how long it takes, what the
// presenter says and what to point at.
//
// The table is in acts.go. The presenter's page reads it, and a test holds the
// acts in PRESENTERS_GUIDE.md to it, so that the page and the guide agree. The
// package runs nothing and shows nothing itself.
package talk

import (
	"slices"

	"github.com/devonartis/medassist-go/scenario"
)

// Versions lists the lengths of the talk, in minutes.
var Versions = []int{10, 25}

// An Act is one part of the talk. It either runs a scenario or shows a page.
type Act struct {
	No       int    // position in its version of the talk, from 1
	Named    string // its title, if that is not the title of its scenario
	Scenario string // ID of the scenario to run; empty for an act that shows a page
	Pace     string // pace of its run: instant, talk or step
	Page     string // path of the page to show; empty for an act that runs a scenario
	Minutes  int
	Versions []int  // lengths of the talks, in minutes, that include the act
	Proves   string // what the act proves, without a final full stop
	PointAt  string // what to point at on the screen
	Say      string // what the presenter says
	Asked    string // the answer if someone asks further
}

// Title returns the name of the act: that of its scenario, so that each scenario
// has one name wherever it is shown. An act that shows a page, or that runs the
// scenario of an earlier act again, has a name of its own.
func (a Act) Title() string {
	if s, ok := scenario.ByID(a.Scenario); ok && a.Named == "" {
		return s.Title
	}
	return a.Named
}

// In reports whether the talk of that many minutes includes the act.
func (a Act) In(version int) bool { return slices.Contains(a.Versions, version) }

// Acts returns the acts of the talk of that many minutes, in order and numbered
// from 1. It returns none for a length that is not in [Versions].
func Acts(version int) []Act {
	var out []Act
	for _, a := range acts {
		if a.In(version) {
			a.No = len(out) + 1
			out = append(out, a)
		}
	}
	return out
}
