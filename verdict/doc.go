// Package verdict says in one sentence what happened in a run, and points at the
// event that decided it.
//
// Both are derived from the trace alone: a [Run] takes the events of a run one by
// one, and its [Line] at any moment is what a view shows in its largest type. While
// the run is live the line follows the latest step that matters. Once the run is
// over, the line stays on the key moment (the denial, the delegation, the
// revocation) and never on the clean-up that follows it.
//
// The package never draws, never asks the broker, and never claims what no event
// of the trace confirms.
package verdict
