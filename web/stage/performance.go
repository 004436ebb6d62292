package stage

import (
	"regexp"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/verdict"
	"github.com/devonartis/medassist-go/web/hero"
)

// A Performance is a run on the stage, as it stood after one of its steps. It is
// not safe for concurrent use.
type Performance struct {
	Info    trace.Run
	Hero    *hero.Hero
	Verdict *verdict.Run
	Steps   int    // so far
	Waiting string // what a stepping run waits to do; empty while it goes on
	Pace    string

	events []trace.Event // one for each step
	shown  int           // how many of them are shown
	at     int           // the step that the presenter has gone back to; 0 for the latest
	over   bool          // the run has ended
}

// newPerformance returns a run before its first step.
func newPerformance(info trace.Run) *Performance {
	p := &Performance{Info: info, Pace: info.Pace}
	p.rewind()
	return p
}

func (p *Performance) rewind() {
	p.Hero, p.Verdict, p.shown = hero.New(p.Info.PatientID), verdict.New(p.Info), 0
}

// startOver forgets all events: some were taken back.
func (p *Performance) startOver() {
	p.events, p.Steps, p.over, p.Waiting = nil, 0, false, ""
	p.rewind()
}

// add takes the next events of the run.
func (p *Performance) add(events []trace.Event) {
	for _, e := range events {
		switch e.Step.(type) {
		case trace.LLMDelta: // a piece of the answer, which the stage does not show
			continue
		case trace.Complete:
			p.over, p.Waiting = true, ""
		default: // shown as it is
		}
		p.events = append(p.events, e)
	}
	p.Steps = len(p.events)
	p.show()
}

// show applies the events of the steps to show.
func (p *Performance) show() {
	steps := p.Steps
	if p.at > 0 {
		steps = min(p.at, p.Steps)
	}
	if steps < p.shown {
		p.rewind()
	}
	for _, e := range p.events[p.shown:steps] {
		p.Hero.Apply(e)
		p.Verdict.Apply(e)
	}
	p.shown = steps
}

// goTo shows the run as it stood after a step, counted from 1, which may be still to
// come. 0 is the run as it is now.
func (p *Performance) goTo(step int) {
	p.at = step
	p.show()
}

// setState takes what a run waits for. It reports whether that is new.
func (p *Performance) setState(s agents.State) bool {
	pace := s.Pace.String()
	if p.over || p.Waiting == s.Waiting && p.Pace == pace {
		return false
	}
	p.Waiting, p.Pace = s.Waiting, pace
	return true
}

// Step returns the number of the step that is shown.
func (p *Performance) Step() int { return p.shown }

// Back reports whether the presenter has gone back to an earlier step.
func (p *Performance) Back() bool { return p.at > 0 }

// Live reports whether the run goes on.
func (p *Performance) Live() bool { return !p.over }

// Judged returns whether the run went as its scenario expects, and nil while it
// is live and if it plays no scenario.
func (p *Performance) Judged() *scenario.Verdict {
	sc, ok := scenario.ByID(p.Info.Scenario)
	if !ok || !p.over {
		return nil
	}
	v := sc.Expect.Judge(p.events)
	return &v
}

// draw lays the picture out for one layout.
func (p *Performance) draw(l layout) hero.Drawing {
	d := hero.Draw(p.Hero, "hero", l.shape())
	d.Still = d.Still || p.Back()
	return d
}

// A word is a piece of a request.
type word struct {
	text  string
	other bool // it names a patient other than the run's
}

var patientIDs = regexp.MustCompile(`\bP-\d+\b`)

// request returns the request with the patients marked that it is not about.
func (p *Performance) request() (words []word) {
	text, end := p.Info.Request, 0
	for _, at := range patientIDs.FindAllStringIndex(text, -1) {
		if id := text[at[0]:at[1]]; id != p.Info.PatientID {
			words = append(words, word{text: text[end:at[0]]}, word{id, true})
			end = at[1]
		}
	}
	return append(words, word{text: text[end:]})
}

// incident says what happens during the run beside the request, as its scenario has it.
func (p *Performance) incident() string {
	sc, _ := scenario.ByID(p.Info.Scenario)
	switch sc.Incident {
	case trace.IncidentTheft:
		return "Then an attacker copies the clinical token"
	case trace.IncidentRevocation:
		return "Then the clinical agent is revoked"
	case trace.IncidentExpiry:
		return "Then the clinical token expires"
	}
	return ""
}
