package run

import (
	"slices"
	"strings"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/verdict"
	"github.com/devonartis/medassist-go/web/hero"
	"github.com/devonartis/medassist-go/web/picture"
	"github.com/devonartis/medassist-go/web/ui"
)

// Run is a run as it stands after the events applied so far. It is not safe
// for concurrent use.
type Run struct {
	Info      trace.Run
	Steps     []Step
	Cards     []*Card // in the order in which the tokens were issued
	Tokens    *picture.Tokens
	Hero      *hero.Hero
	Verdict   *verdict.Run
	Timeline  *picture.Timeline
	LastSeq   int64
	Thinking  bool // the prompt was sent and the model has not replied yet
	Complete  *trace.Complete
	Failure   *trace.RunError
	Stolen    *trace.StolenTokenUsed // the last use of a stolen token of this run
	Simulated string                 // what replied, at least once, in place of a recorded model
	Author    string                 // who wrote the answer
	Replay    *Replay                // set where past events are shown again
	Pace      string                 // how fast a live run goes, as agents.ParsePace reads it
	Waiting   string                 // what a stepping run waits to do; empty while it goes on

	past   bool          // see NewPast
	events []trace.Event // all of them, to judge a scenario by

	writing bool
	text    strings.Builder // the model's text in this turn
	last    string          // its text in the turn before, if any
}

// NewRun returns the projection of a run before its first event.
func NewRun(info trace.Run) *Run { return newRun(info, "") }

// NewPast returns a projection that a page shows in place of the current one,
// so its drawings have IDs of their own, and no running clock.
func NewPast(info trace.Run) *Run {
	r := newRun(info, "past-")
	r.past = true
	return r
}

func newRun(info trace.Run, prefix string) *Run {
	return &Run{Info: info, Pace: info.Pace, Author: info.ModelName, Tokens: &picture.Tokens{},
		Hero: hero.New(info.PatientID), Verdict: verdict.New(info),
		Timeline: picture.NewTimeline(prefix + "time")}
}

// Past reports whether the projection is one of [NewPast].
func (r *Run) Past() bool { return r.past }

func (r *Run) cardID(c *Card) string {
	if r.Past() {
		return "past-card-" + c.Key()
	}
	return "card-" + c.Key()
}

// Changed tells which parts events changed, other than the trace.
type Changed struct{ Tokens, Hero, Timeline, Cards, Answer bool }

// Merge adds what another event changed.
func (c *Changed) Merge(o Changed) {
	c.Tokens = c.Tokens || o.Tokens
	c.Hero = c.Hero || o.Hero
	c.Timeline = c.Timeline || o.Timeline
	c.Cards = c.Cards || o.Cards
	c.Answer = c.Answer || o.Answer
}

// Apply applies the next event. It adds a step, unless the event is only a
// piece of the answer.
func (r *Run) Apply(e trace.Event) Changed {
	r.LastSeq = e.Seq
	if delta, ok := e.Step.(trace.LLMDelta); ok {
		r.Thinking, r.writing = false, true
		r.text.WriteString(delta.Text)
		return Changed{Answer: true}
	}
	r.writing = false
	r.Info.Unsaved = r.Info.Unsaved || e.Unsaved
	r.events = append(r.events, e)
	r.Steps = append(r.Steps, newStep(r.Info, len(r.Steps)+1, e))
	r.Verdict.Apply(e)
	c := Changed{Tokens: r.Tokens.Apply(e), Hero: r.Hero.Apply(e), Timeline: r.Timeline.Apply(e), Answer: r.applyAnswer(e.Step)}
	if s, ok := e.Step.(trace.StolenTokenUsed); ok {
		r.Stolen = &s
	}
	c.Cards = r.applyCard(e.Step) || c.Tokens && len(r.Cards) > 0
	return c
}

// applyAnswer follows the model's text, and whether more of it is expected. It
// reports whether the answer has changed.
func (r *Run) applyAnswer(step trace.Step) (changed bool) {
	switch s := step.(type) {
	case trace.LLMStart:
		r.Thinking = true
		if r.text.Len() > 0 {
			r.last = r.text.String()
			r.text.Reset()
		}
	case trace.LLMResponse:
		r.Thinking, r.Author = false, r.Info.ModelName
		if s.StandIn != "" {
			r.Simulated, r.Author = s.StandIn, s.StandIn
		}
		if s.Content != "" {
			r.text.Reset()
			r.text.WriteString(s.Content)
		}
	case trace.RunError:
		r.Failure, r.Thinking = &s, false
	case trace.Complete:
		r.Complete, r.Thinking = &s, false
	default:
		return false
	}
	return true
}

// Live reports whether the run goes on.
func (r *Run) Live() bool { return r.Complete == nil }

// State returns the run's state in one word.
func (r *Run) State() string {
	switch {
	case r.Complete != nil:
		return string(r.Complete.Outcome)
	case r.Waiting != "":
		return "waiting"
	default:
		return "live"
	}
}

// Class returns the CSS class of that state: "live", "waiting", "done" or
// "failed".
func (r *Run) Class() string {
	switch s := r.State(); {
	case r.Live():
		return s
	case s == string(trace.OutcomeAnswered):
		return "done"
	default:
		return "failed"
	}
}

// Activity returns what a live run is doing.
func (r *Run) Activity() string {
	switch {
	case r.Thinking:
		return "Waiting for the model (" + r.Info.ModelName + ")"
	case r.writing:
		return "The model is writing"
	case len(r.Steps) > 0:
		return r.Steps[len(r.Steps)-1].What
	default:
		return "Starting"
	}
}

// Doing returns what a live run is doing or waits to do. It is empty after the
// end.
func (r *Run) Doing() string {
	switch {
	case !r.Live():
		return ""
	case r.Waiting != "":
		return "Waiting to " + r.Waiting
	default:
		return r.Activity()
	}
}

// Answer returns the model's text so far, as Markdown: that of this turn, or of
// the last turn that had any.
func (r *Run) Answer() string {
	if r.text.Len() > 0 {
		return r.text.String()
	}
	return r.last
}

// Expectation returns whether an ended run went as its scenario expects. It
// returns nil if the run is live, was cancelled or plays no scenario.
func (r *Run) Expectation() *scenario.Verdict {
	sc, ok := scenario.ByID(r.Info.Scenario)
	if !ok || r.Live() || r.Complete.Outcome == trace.OutcomeCancelled {
		return nil
	}
	v := sc.Expect.Judge(r.events)
	return &v
}

// newest returns what the last step says.
func (r *Run) newest() string {
	if len(r.Steps) == 0 {
		return ""
	}
	return r.Steps[len(r.Steps)-1].What
}

// framesURL returns the address of the run's stream.
func (r *Run) framesURL() string {
	if r.Replay != nil {
		return r.Replay.framesURL(r)
	}
	return r.url("frames?after=" + ui.Decimal(r.LastSeq))
}

// url returns an address below the run's own.
func (r *Run) url(path string) string { return "/runs/" + r.Info.ID + "/" + path }

func (r *Run) card(id trace.Credential) *Card {
	i := slices.IndexFunc(r.Cards, func(c *Card) bool { return c.id == id })
	if i < 0 {
		return nil
	}
	return r.Cards[i]
}
