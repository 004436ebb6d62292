package picture

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// Timeline is where a run's time went: the spans of its events, in lanes. It
// is not safe for concurrent use.
type Timeline struct {
	id    string
	start time.Time // of the run: its first span or event
	spans []span
}

// span is a [trace.Span] in run time.
type span struct {
	lane     trace.Lane
	from, to time.Duration // since the run's start
	name     string
	denied   bool
	prompt   int // a model turn's tokens, if it says
	reply    int
}

var lanes = []trace.Lane{trace.LaneModel, trace.LaneBroker, trace.LaneGate, trace.LaneRecords}

// NewTimeline is the timeline before the first event. The ID is the prefix of
// its element IDs; empty will do where a page shows one.
func NewTimeline(id string) *Timeline {
	if id == "" {
		id = "timeline"
	}
	return &Timeline{id: id}
}

// Apply takes in the next event and reports whether it brought spans.
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

// refusedIn is the lane in which a step was refused, or empty.
func refusedIn(s trace.Step) trace.Lane {
	var by trace.RefusedBy
	switch s := s.(type) {
	case trace.ScopeDenied:
		by = s.RefusedBy
	case trace.TokenRejected:
		by = s.RefusedBy
	case trace.DelegationDenied:
		by = s.RefusedBy
	default: // nothing was refused
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

// total is what a lane adds up to.
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

// Title is the waterfall's name for those who can't see it.
func (t *Timeline) Title() string { return "Waterfall: where the run's time went" }

// Description is the waterfall in a sentence.
func (t *Timeline) Description() string {
	if len(t.spans) == 0 {
		return "No time has been spent yet."
	}
	var end time.Duration
	for _, s := range t.spans {
		end = max(end, s.to)
	}
	return "What ran in the first " + duration(end) + " of the run, in four lanes: model, broker, gate and records."
}

// Lines is a sentence for each lane: the text alternative.
func (t *Timeline) Lines() []string {
	var lines []string
	for _, lane := range lanes {
		sum := t.total(lane)
		line := fmt.Sprintf("%s: %s, %s", capital(string(lane)), count(sum.n, "span"), duration(sum.took))
		if sum.prompt+sum.reply > 0 {
			line += fmt.Sprintf(", %s tokens in and %s out", thousands(sum.prompt), thousands(sum.reply))
		}
		lines = append(lines, line+".")
	}
	return lines
}

// duration writes a stretch of time to about three digits.
func duration(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d < 10*time.Millisecond:
		return trim(ms, 1) + " ms"
	case d < time.Second:
		return trim(ms, 0) + " ms"
	case d < 10*time.Second:
		return trim(ms/1000, 2) + " s"
	case d < time.Minute:
		return trim(ms/1000, 1) + " s"
	}
	return clock(d) + " min"
}

// trim writes f with at most so many decimals.
func trim(f float64, decimals int) string {
	s := strconv.FormatFloat(f, 'f', decimals, 64)
	if decimals == 0 {
		return s
	}
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
