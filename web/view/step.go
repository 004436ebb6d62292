package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// Meaning is what a step means to authority; each has a sign, a word and a
// colour.
type Meaning string

// The meanings. Plain steps have none of the five.
const (
	Allowed   Meaning = "allowed"
	Denied    Meaning = "denied"
	Delegated Meaning = "delegated"
	Alive     Meaning = "alive"
	Ended     Meaning = "ended"
	Plain     Meaning = "plain"
	Trouble   Meaning = "trouble"
)

var signs = map[Meaning]string{Allowed: "✓", Denied: "✕", Delegated: "⇢", Alive: "●", Ended: "✝", Plain: "·", Trouble: "!"}

// Sign is the meaning's sign.
func (m Meaning) Sign() string { return signs[m] }

// Step is one line of the trace and what it opens to.
type Step struct {
	Seq     int64
	At      time.Duration // since the run began
	Took    time.Duration // 0 if it did not take time of its own
	Type    trace.Type
	Meaning Meaning
	What    string // one line
	Whom    string // what it is about: a tool and a patient, an agent
	Facts   []Fact
	Denial  *Denial
	JSON    string // the whole detail, indented
}

// Fact is one thing worth reading in a step's detail.
type Fact struct {
	Name   string
	Value  string
	Mono   bool // an identifier
	Scopes []Chip
}

// Denial compares what a call required with what its token held.
type Denial struct {
	Required, Held []Chip
	RefusedBy      string
	Reason         string
}

// Chip is a scope in its three segments.
type Chip struct {
	Action, Resource, Identifier string
	Missing                      bool
}

// newStep says what an event shows.
func newStep(run trace.Run, e trace.Event) Step {
	s := Step{Seq: e.Seq, At: max(0, e.Time.Sub(run.Started)), Type: e.Step.Type(), Meaning: meaning(e), What: e.Label, JSON: indented(e.Step)}
	for _, sp := range e.Spans {
		s.Took += sp.Took
	}
	s.Whom, s.Facts, s.Denial = describe(e.Step)
	return s
}

// meaning is the one table from a step to what it means.
func meaning(e trace.Event) Meaning {
	switch s := e.Step.(type) {
	case trace.ToolCall:
		return Allowed
	case trace.ScopeDenied, trace.TokenRejected, trace.DelegationDenied:
		return Denied
	case trace.Delegation:
		return Delegated
	case trace.AgentCreated, trace.TokenRenewed:
		return Alive
	case trace.TokenValidated:
		if s.Valid {
			return Alive
		}
		return Ended
	case trace.PostReleaseValidation:
		if s.Valid {
			return Trouble
		}
		return Ended
	case trace.TokenReleased:
		return Ended
	}
	if e.Status == trace.StatusError || e.Status == trace.StatusWarning {
		return Trouble
	}
	return Plain
}

// describe picks what is worth reading out of a step.
func describe(step trace.Step) (whom string, facts []Fact, denial *Denial) {
	text := func(name, value string) {
		if value != "" {
			facts = append(facts, Fact{Name: name, Value: value})
		}
	}
	mono := func(name, value string) {
		if value != "" {
			facts = append(facts, Fact{Name: name, Value: value, Mono: true})
		}
	}
	scopes := func(name string, list []string) {
		if len(list) > 0 {
			facts = append(facts, Fact{Name: name, Scopes: Chips(list, nil)})
		}
	}
	switch s := step.(type) {
	case trace.Validation:
		whom = s.PatientID
		text("request", s.Request)
		text("pace", s.Pace)
	case trace.PatientLookup:
		whom = s.PatientID
		text("name", s.Name)
	case trace.BrokerHealth:
		mono("address", s.URL)
		text("status", s.Status)
		text("version", s.Version)
		text("error", s.Error)
	case trace.LLMStart:
		whom = s.Model
		text("tools on offer", strconv.Itoa(len(s.Tools)))
	case trace.AgentCreated:
		whom = s.Category
		mono("SPIFFE ID", s.SPIFFEID)
		scopes("scope", s.Scope)
		mono("token", s.TokenPreview)
		text("lives", seconds(s.ExpiresIn))
		text("spawned for", s.Trigger)
	case trace.AgentError:
		whom = s.Category
		scopes("wanted", s.Scope)
		text("error", s.Error)
	case trace.TokenValidated:
		whom = (Card{Credential: s.Credential}).Name()
		mono("sub · whose token", s.Subject)
		scopes("scope · what it may do", s.Scope)
		mono("jti · this token", s.TokenID)
		mono("task_id · for this run only", s.TaskID)
		text("exp · dies at", unix(s.ExpiresAt))
		for _, hop := range s.Chain {
			mono("delegated by", hop.Agent)
		}
		text("error", s.Error)
	case trace.ToolCall:
		whom = s.Tool + " " + s.PatientID
		scopes("required", s.RequiredScope)
		scopes("held", s.HeldScope)
		mono("agent", s.AgentID)
	case trace.ToolError:
		whom = s.Tool
		text("reason", s.Reason)
		mono("arguments", s.Args)
	case trace.ScopeDenied:
		whom = s.Tool + " " + s.PatientID
		denial = &Denial{Chips(s.RequiredScope, s.MissingScope), Chips(s.HeldScope, nil), place(s.RefusedBy), s.Reason}
	case trace.TokenRejected:
		whom = s.Tool + " " + s.PatientID
		denial = &Denial{Chips(s.RequiredScope, s.RequiredScope), nil, place(s.RefusedBy), s.Reason}
	case trace.Delegation:
		whom = "clinical ⇢ " + s.Category
		scopes("delegated", s.DelegatedScope)
		scopes("out of", s.DelegatorScope)
		mono("from", s.DelegatorID)
		mono("to", s.DelegateID)
		mono("token", s.TokenPreview)
		text("lives", seconds(s.ExpiresIn))
	case trace.DelegationDenied:
		whom = s.Tool + " " + s.PatientID
		denial = &Denial{Chips(s.RequestedScope, s.MissingScope), Chips(s.DelegatorScope, nil), place(s.RefusedBy), s.Reason}
	case trace.LLMResponse:
		for _, c := range s.ToolCalls {
			mono("asks for", c.Tool+" "+c.Args)
		}
		if s.PromptTokens+s.CompletionTokens > 0 {
			text("tokens", fmt.Sprintf("%d in, %d out", s.PromptTokens, s.CompletionTokens))
		}
	case trace.TokenRenewed:
		whom = (Card{Credential: s.Credential}).Name()
		mono("before", s.OldPreview)
		mono("after", s.NewPreview)
		text("lives", seconds(s.NewExpiresIn))
	case trace.TokenReleased:
		whom = (Card{Credential: s.Credential}).Name()
		mono("agent", s.AgentID)
	case trace.ReleaseError:
		whom = (Card{Credential: s.Credential}).Name()
		text("at", s.Stage)
		text("error", s.Error)
	case trace.PostReleaseValidation:
		whom = (Card{Credential: s.Credential}).Name()
		text("asked about", "the "+s.Token+" token")
		text("the broker says", s.Error)
	case trace.Cancelled:
		text("by", s.By)
		text("reason", s.Reason)
	case trace.RunError:
		whom = s.Stage
		text("what happened", s.Message)
		text("try", s.Hint)
	case trace.Complete:
		text("tokens", fmt.Sprintf("%d issued, %d released, %d proven dead", s.Tokens, s.Released, s.ProvenDead))
	}
	return whom, facts, denial
}

// Chips cuts scopes into segments and marks those that are missing.
func Chips(scopes, missing []string) []Chip {
	out := make([]Chip, len(scopes))
	for i, s := range scopes {
		parts := append(strings.SplitN(s, ":", 3), "", "")
		out[i] = Chip{Action: parts[0], Resource: parts[1], Identifier: parts[2]}
		for _, m := range missing {
			out[i].Missing = out[i].Missing || m == s
		}
	}
	return out
}

func place(r trace.RefusedBy) string {
	switch r {
	case trace.RefusedByGate:
		return "the gate, by the broker's word"
	case trace.RefusedByBroker:
		return "the broker"
	case trace.RefusedByRecords:
		return "the records API"
	}
	return string(r)
}

func indented(step trace.Step) string {
	raw, err := json.Marshal(step)
	if err != nil {
		return ""
	}
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return ""
	}
	return b.String()
}

func seconds(n int) string { return (time.Duration(n) * time.Second).String() }

func unix(t int64) string {
	if t == 0 {
		return ""
	}
	return time.Unix(t, 0).UTC().Format("15:04:05 UTC")
}

// Duration writes a duration in at most four digits: "4 ms", "1.2 s".
func Duration(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}

// Number writes a sequence number in two digits or more.
func Number(n int64) string { return fmt.Sprintf("%02d", n) }
