package ui

import (
	"slices"
	"strings"
)

// Chip is a scope in its segments: action, resource, identifier.
type Chip struct {
	Segments []Segment
	Missing  bool // required, but not held
	Dropped  bool // held by the delegator, but not delegated
}

// Segment is one part of a scope.
type Segment struct {
	Text    string
	Differs bool // it is why the scope is missing
}

// Chips splits scopes into segments.
func Chips(scopes []string) []Chip {
	out := make([]Chip, len(scopes))
	for i, s := range scopes {
		for _, part := range strings.SplitN(s, ":", 3) {
			out[i].Segments = append(out[i].Segments, Segment{Text: part})
		}
	}
	return out
}

// RequiredChips splits required scopes into segments. In those that are
// missing it marks the segments that differ from the nearest held scope.
func RequiredChips(required, missing, held []string) []Chip {
	out := Chips(required)
	for i, scope := range required {
		if !slices.Contains(missing, scope) {
			continue
		}
		out[i].Missing = true
		near := nearest(out[i], Chips(held))
		for j := range out[i].Segments {
			out[i].Segments[j].Differs = !matches(out[i], near, j)
		}
	}
	return out
}

// nearest returns the held scope that shares most segments with a missing one,
// where the resource counts more than the others. It returns the zero Chip if
// no held scope has that resource.
func nearest(missing Chip, held []Chip) (best Chip) {
	most := 0
	for _, h := range held {
		n := 0
		for j := range missing.Segments {
			if matches(missing, h, j) {
				n += 1 + j%2*2 // the resource is segment 1
			}
		}
		if n > most && matches(missing, h, 1) {
			best, most = h, n
		}
	}
	return best
}

// matches reports whether segment j of a held scope is equal to that of
// another scope or is a wildcard.
func matches(a, held Chip, j int) bool {
	return j < len(a.Segments) && j < len(held.Segments) &&
		(a.Segments[j].Text == held.Segments[j].Text || held.Segments[j].Text == "*")
}
