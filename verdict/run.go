package verdict

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
)

// A Run accumulates the events of one run. It is not safe for concurrent use.
type Run struct {
	info     trace.Run
	line     Line
	complete *trace.Complete

	unknown    bool // the patient does not exist
	ttl        map[trace.Credential]time.Duration
	agents     []string // categories, in order of creation
	calls      []at[trace.ToolCall]
	denials    []at[trace.ScopeDenied]
	rejections []at[trace.TokenRejected]
	granted    []at[trace.Delegation]
	refused    []at[trace.DelegationDenied]
	revoked    []at[trace.TokenRevoked]
	released   map[trace.Credential]int64
	incident   *at[trace.Incident]
	thefts     []at[trace.StolenTokenUsed]
	failure    *at[trace.RunError]
	cancelled  *at[trace.Cancelled]
	cleanup    CleanUp
}

// at is a step with the number of its event.
type at[S trace.Step] struct {
	seq  int64
	step S
}

// New returns a Run without events.
func New(info trace.Run) *Run {
	return &Run{info: info, ttl: make(map[trace.Credential]time.Duration), released: make(map[trace.Credential]int64),
		line: Line{Meaning: Alive, Lead: "Request for " + info.PatientID + " received."}}
}

// Of returns the line of a run with these events.
func Of(info trace.Run, events []trace.Event) Line {
	r := New(info)
	for _, e := range events {
		r.Apply(e)
	}
	return r.Line()
}

// Line returns the current line.
func (r *Run) Line() Line { return r.line }

// Apply takes the next event of the run.
func (r *Run) Apply(e trace.Event) {
	r.cleanup.apply(e.Step)
	switch s := e.Step.(type) {
	case trace.PatientLookup:
		r.unknown = !s.Found
		if r.unknown {
			r.say(e, Ended, fmt.Sprintf("Patient %s does not exist.", s.PatientID), "")
		}
	case trace.LLMStart:
		if s.Turn == 1 && !r.unknown {
			r.say(e, Alive, "Waiting for the model.", "")
		}
	case trace.LLMResponse:
		if n := len(s.ToolCalls); n > 0 && len(r.agents) == 0 && !r.unknown {
			r.say(e, Alive, "Model requests "+text.Count(n, "tool call")+".", "")
		}
	case trace.AgentCreated:
		ttl := time.Duration(s.ExpiresIn) * time.Second
		r.ttl[s.Credential] = ttl
		r.agents = append(r.agents, s.Category)
		r.say(e, Alive, text.Capitalize(s.Category)+" agent created.",
			fmt.Sprintf("Its token covers %s for %s.", r.info.PatientID, span(ttl)))
	case trace.Delegation:
		r.ttl[s.Credential] = time.Duration(s.ExpiresIn) * time.Second
		r.granted = append(r.granted, at[trace.Delegation]{e.Seq, s})
		r.say(e, Delegated, fmt.Sprintf("Clinical delegates %s to %s.", list(s.DelegatedScope), s.Category), "For one call.")
	case trace.DelegationDenied:
		r.refused = append(r.refused, at[trace.DelegationDenied]{e.Seq, s})
		r.line = r.refusedDelegation()
	case trace.ToolCall:
		r.calls = append(r.calls, at[trace.ToolCall]{e.Seq, s})
		if r.unknown {
			r.line = r.unknownPatient(e.Seq)
			break
		}
		r.say(e, Allowed, fmt.Sprintf("%s for %s.", s.Tool, s.PatientID), "Allowed.")
	case trace.ScopeDenied:
		r.denials = append(r.denials, at[trace.ScopeDenied]{e.Seq, s})
		r.line = r.denied()
	case trace.TokenRejected:
		r.rejections = append(r.rejections, at[trace.TokenRejected]{e.Seq, s})
		r.line = r.rejected()
	case trace.TokenRevoked:
		r.revoked = append(r.revoked, at[trace.TokenRevoked]{e.Seq, s})
		r.line = r.revocation()
	case trace.TokenReleased:
		r.released[s.Credential] = e.Seq
	case trace.Incident:
		r.incident = &at[trace.Incident]{e.Seq, s}
		r.line = r.begun(e.Seq, s)
	case trace.StolenTokenUsed:
		r.thefts = append(r.thefts, at[trace.StolenTokenUsed]{e.Seq, s})
		r.line = r.used(e.Seq, s)
	case trace.RunError:
		r.failure = &at[trace.RunError]{e.Seq, s}
		r.say(e, Denied, sentence(s.Message), "")
	case trace.Cancelled:
		r.cancelled = &at[trace.Cancelled]{e.Seq, s}
		r.say(e, Ended, "Cancelled by the "+s.By+".", "")
	case trace.Complete:
		r.complete = &s
		r.line = r.final(e.Seq)
	case trace.Validation, trace.BrokerHealth, trace.BrokerWait, trace.LLMWait, trace.LLMDelta, trace.AgentError, trace.TokenValidated,
		trace.ToolError, trace.TokenRenewed, trace.ReleaseError, trace.PostReleaseValidation: // the line stays
	}
}

func (r *Run) say(e trace.Event, m Meaning, lead, outcome string) {
	r.line = Line{m, lead, outcome, e.Seq}
}

// span writes a duration the way it is spoken: "5 min", "45 s".
func span(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", (d+time.Second-1)/time.Second)
}

// list joins names: "a", "a and b", "a, b and c".
func list(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// sentence returns the first sentence of a message, with a full stop.
func sentence(message string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(message), ". ")
	return strings.TrimRight(first, ".") + "."
}

// toldBy returns which part of an earlier result named a patient that the
// request did not name, or "" if the model came up with that patient itself.
func (r *Run) toldBy(patientID string, before int64) string {
	if strings.Contains(r.info.Request, patientID) {
		return ""
	}
	for _, c := range r.calls {
		if c.seq < before && c.step.PatientID == r.info.PatientID {
			if key := keyOf(c.step.Output, patientID); key == "note" {
				return "A visit note"
			} else if key != "" {
				return "Text in the record"
			}
		}
	}
	return ""
}

// keyOf returns the key of the first text in document that contains word.
func keyOf(document json.RawMessage, word string) string {
	var v any
	if json.Unmarshal(document, &v) != nil {
		return ""
	}
	return find("text", v, word)
}

func find(key string, v any, word string) string {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, word) {
			return key
		}
	case []any:
		for _, x := range v {
			if k := find(key, x, word); k != "" {
				return k
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if found := find(k, v[k], word); found != "" {
				return found
			}
		}
	}
	return ""
}
