package view

import (
	"slices"
	"strings"
)

// Chip is a scope in its segments: action, resource, identifier.
type Chip struct {
	Segments []Segment
	Missing  bool // required, and not held
	Dropped  bool // held by the delegator, and not handed on
}

// Segment is one part of a scope.
type Segment struct {
	Text    string
	Differs bool // it is what made the scope missing
}

// Chips cuts scopes into segments.
func Chips(scopes []string) []Chip {
	out := make([]Chip, len(scopes))
	for i, s := range scopes {
		for _, part := range strings.SplitN(s, ":", 3) {
			out[i].Segments = append(out[i].Segments, Segment{Text: part})
		}
	}
	return out
}

// requiredChips cuts required scopes into segments and marks, in those that
// are missing, where they part from the nearest scope that is held.
func requiredChips(required, missing, held []string) []Chip {
	out := Chips(required)
	for i, scope := range required {
		if !slices.Contains(missing, scope) {
			continue
		}
		out[i].Missing = true
		near := nearest(out[i], Chips(held))
		for j := range out[i].Segments {
			out[i].Segments[j].Differs = !agree(out[i], near, j)
		}
	}
	return out
}

// nearest is the held scope that has most segments in common with a missing
// one, the resource counting for more than the others; the zero Chip if there
// is none of that resource.
func nearest(missing Chip, held []Chip) (best Chip) {
	most := 0
	for _, h := range held {
		n := 0
		for j := range missing.Segments {
			if agree(missing, h, j) {
				n += 1 + j%2*2 // the resource is in the middle
			}
		}
		if n > most && agree(missing, h, 1) {
			best, most = h, n
		}
	}
	return best
}

// agree reports whether two scopes have the same segment j, or the second a
// wildcard.
func agree(a, held Chip, j int) bool {
	return j < len(a.Segments) && j < len(held.Segments) &&
		(a.Segments[j].Text == held.Segments[j].Text || held.Segments[j].Text == "*")
}
