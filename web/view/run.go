package view

import (
	"slices"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/picture"
)

// Run is a run as it stands after the events applied so far. It is not safe
// for concurrent use.
type Run struct {
	Info     trace.Run
	Steps    []Step
	Cards    []Card
	Picture  *picture.Picture
	Timeline *picture.Timeline
	LastSeq  int64
	Thinking bool // the model has been asked and has not answered yet
	Complete *trace.Complete
	Failure  *trace.RunError
	Waiting  string // what a stepping run waits to do; empty if it goes on

	events []trace.Event // all of them, to judge a scenario by

	text strings.Builder // the model's words of this turn
	last string          // of the turn before, if it said something
}

// Card is what is known of one credential.
type Card struct {
	trace.Credential
	AgentID  string
	TaskID   string
	Scope    []string
	Preview  string
	Before   string // preview before its renewal, if it was renewed
	State    string // "alive", "released", "dead" or "not released"
	Expires  time.Time
	Issued   time.Time
	From     []string // of a delegated one: what its delegator holds
	Chain    []trace.Hop
	Claims   *trace.TokenValidated
	LastSeen int64
}

// NewRun begins a projection.
func NewRun(info trace.Run) *Run {
	return &Run{Info: info, Picture: picture.New(picture.Encounter("auth", "medassist")), Timeline: picture.NewTimeline("time")}
}

// Live reports whether the run goes on.
func (r *Run) Live() bool { return r.Complete == nil }

// Answer is the model's text so far, as Markdown: this turn's, or the last one
// that had any.
func (r *Run) Answer() string {
	if r.text.Len() > 0 {
		return r.text.String()
	}
	return r.last
}

// Verdict says whether a finished run came as its scenario expects; nil if it
// is no scenario's, or goes on.
func (r *Run) Verdict() *scenario.Verdict {
	sc, ok := scenario.ByID(r.Info.Scenario)
	if !ok || r.Live() {
		return nil
	}
	v := sc.Expect.Judge(r.events)
	return &v
}

// Apply adds an event. Changed says which parts of the page it changes.
func (r *Run) Apply(e trace.Event) (c Changed) {
	r.LastSeq = e.Seq
	r.events = append(r.events, e)
	c.Picture = r.Picture.Apply(e)
	c.Timeline = r.Timeline.Apply(e)
	switch s := e.Step.(type) {
	case trace.LLMStart:
		r.Thinking, c.Answer = true, true
		if r.text.Len() > 0 {
			r.last = r.text.String()
			r.text.Reset()
		}
	case trace.LLMDelta:
		r.Thinking, c.Answer = false, true
		r.text.WriteString(s.Text)
		return c // part of the answer, not a line of the trace
	case trace.LLMResponse:
		r.Thinking, c.Answer = false, true
		if s.Content != "" {
			r.text.Reset()
			r.text.WriteString(s.Content)
		}
	case trace.Complete:
		r.Complete, r.Thinking, c.Answer, c.Status = &s, false, true, true
	case trace.RunError:
		r.Failure, r.Thinking, c.Answer, c.Status = &s, false, true, true
	}
	c.Cards = r.applyCard(e)
	r.Steps = append(r.Steps, newStep(r.Info, e))
	return c
}

// Changed says what an event changed beside the trace.
type Changed struct{ Picture, Timeline, Cards, Answer, Status bool }

// Merge adds what another event changed.
func (c *Changed) Merge(o Changed) {
	c.Picture = c.Picture || o.Picture
	c.Timeline = c.Timeline || o.Timeline
	c.Cards = c.Cards || o.Cards
	c.Answer = c.Answer || o.Answer
	c.Status = c.Status || o.Status
}

func (r *Run) applyCard(e trace.Event) bool {
	switch s := e.Step.(type) {
	case trace.AgentCreated:
		r.Cards = append(r.Cards, Card{Credential: s.Credential, AgentID: s.SPIFFEID, TaskID: s.TaskID, Scope: s.Scope,
			Preview: s.TokenPreview, State: "alive", Issued: e.Time, Expires: e.Time.Add(time.Duration(s.ExpiresIn) * time.Second)})
	case trace.Delegation:
		r.Cards = append(r.Cards, Card{Credential: s.Credential, AgentID: s.DelegateID, TaskID: r.Info.ID, Scope: s.DelegatedScope,
			Preview: s.TokenPreview, State: "alive", Issued: e.Time, Expires: e.Time.Add(time.Duration(s.ExpiresIn) * time.Second),
			From: s.DelegatorScope, Chain: s.Chain})
	case trace.TokenValidated:
		return r.card(s.Credential, func(c *Card) {
			if s.Valid {
				c.Claims = &s
			} else {
				c.State = "dead"
			}
		})
	case trace.TokenRejected:
		return r.card(s.Credential, func(c *Card) { c.State = "dead" })
	case trace.TokenRenewed:
		return r.card(s.Credential, func(c *Card) {
			c.Before, c.Preview = s.OldPreview, s.NewPreview
			c.Issued, c.Expires = e.Time, e.Time.Add(time.Duration(s.NewExpiresIn)*time.Second)
		})
	case trace.TokenReleased:
		return r.card(s.Credential, func(c *Card) { c.State = "released" })
	case trace.ReleaseError:
		return r.card(s.Credential, func(c *Card) {
			if c.State == "alive" {
				c.State = "not released"
			}
		})
	case trace.PostReleaseValidation:
		return s.Token == trace.TokenOfRelease && r.card(s.Credential, func(c *Card) {
			if s.Valid {
				c.State = "not released"
			} else {
				c.State = "dead"
			}
		})
	default:
		return false
	}
	return true
}

func (r *Run) card(c trace.Credential, change func(*Card)) bool {
	i := slices.IndexFunc(r.Cards, func(k Card) bool { return k.Credential == c })
	if i < 0 {
		return false
	}
	change(&r.Cards[i])
	return true
}

// Name is how a card is headed.
func (c Card) Name() string {
	if c.Delegated {
		return c.Category + " · delegated"
	}
	return c.Category
}

// Alive reports whether nothing is known that ended the token.
func (c Card) Alive() bool { return c.State == "alive" || c.State == "not released" }
