package picture

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
)

// A Timeline holds the spans of a run's events, by lane. It is not safe for
// concurrent use.
type Timeline struct {
	id    string
	start time.Time // of the run: its first span or event
	spans []span
}

// A span is a [trace.Span] in run time.
type span struct {
	lane     trace.Lane
	from, to time.Duration // since the run's start
	name     string
	denied   bool
	prompt   int // tokens of a model turn, if known
	reply    int
}

var lanes = []trace.Lane{trace.LaneModel, trace.LaneBroker, trace.LaneGate, trace.LaneRecords}

// NewTimeline returns a timeline without events. The ID is the prefix of its
// element IDs; it may be empty if the page shows one timeline.
func NewTimeline(id string) *Timeline {
	if id == "" {
		id = "timeline"
	}
	return &Timeline{id: id}
}

// Apply applies the next event and reports whether it added spans.
func (t *Timeline) Apply(e trace.Event) (changed bool) {
	if t.start.IsZero() {
		t.start = e.Time
		for _, s := range e.Spans {
			if s.Start.Before(t.start) {
				t.start = s.Start
			}
		}
	}
	for _, s := range e.Spans {
		if !slices.Contains(lanes, s.Lane) {
			continue
		}
		from := max(s.Start.Sub(t.start), 0)
		bar := span{lane: s.Lane, from: from, to: from + max(s.Took, 0), name: s.Name, denied: refusedIn(e.Step) == s.Lane}
		if r, ok := e.Step.(trace.LLMResponse); ok && s.Lane == trace.LaneModel {
			bar.prompt, bar.reply = r.PromptTokens, r.CompletionTokens
		}
		t.spans = append(t.spans, bar)
		changed = true
	}
	return changed
}

// refusedIn returns the lane in which a step was denied, or an empty one.
func refusedIn(s trace.Step) trace.Lane {
	var by trace.RefusedBy
	switch s := s.(type) {
	case trace.ScopeDenied:
		by = s.RefusedBy
	case trace.TokenRejected:
		by = s.RefusedBy
	case trace.DelegationDenied:
		by = s.RefusedBy
	case trace.StolenTokenUsed:
		by = s.RefusedBy
	default: // nothing was denied
	}
	switch by {
	case trace.RefusedByGate:
		return trace.LaneGate
	case trace.RefusedByBroker:
		return trace.LaneBroker
	case trace.RefusedByRecords:
		return trace.LaneRecords
	}
	return ""
}

// A total sums up a lane.
type total struct {
	n             int
	took          time.Duration
	prompt, reply int
}

func (t *Timeline) total(lane trace.Lane) total {
	var sum total
	for _, s := range t.spans {
		if s.lane == lane {
			sum.n++
			sum.took += s.to - s.from
			sum.prompt += s.prompt
			sum.reply += s.reply
		}
	}
	return sum
}

// Title returns the waterfall's name for screen readers.
func (t *Timeline) Title() string { return "Waterfall: time by component" }

// Description describes the waterfall in a sentence.
func (t *Timeline) Description() string {
	if len(t.spans) == 0 {
		return "No activity yet."
	}
	var end time.Duration
	for _, s := range t.spans {
		end = max(end, s.to)
	}
	return "Activity in the first " + duration(end) + " of the run, in four lanes: model, broker, gate and records."
}

// Lines returns the text alternative, a sentence for each lane.
func (t *Timeline) Lines() []string {
	var lines []string
	for _, lane := range lanes {
		sum := t.total(lane)
		line := fmt.Sprintf("%s: %s, %s", text.Capitalize(string(lane)), text.Count(sum.n, "span"), duration(sum.took))
		if sum.prompt+sum.reply > 0 {
			line += fmt.Sprintf(", %s tokens in and %s out", thousands(sum.prompt), thousands(sum.reply))
		}
		lines = append(lines, line+".")
	}
	return lines
}

// duration returns a duration as text, "0 ms" for none.
func duration(d time.Duration) string { return cmp.Or(text.Duration(d), "0 ms") }

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
