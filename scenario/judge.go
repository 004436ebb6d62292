package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/devonartis/medassist-go/trace"
)

// A Verdict says whether a run showed what its scenario expects.
type Verdict struct {
	Seen      Seen
	Surprises []string // one sentence each; none if the run is as expected
}

// AsExpected reports whether the run showed what the scenario expects.
func (v Verdict) AsExpected() bool { return len(v.Surprises) == 0 }

// Seen is what a trace shows, in the terms of [Expect].
type Seen struct {
	Spawned   []string
	Allowed   []string
	Denied    []Denial
	Delegated int
	Revoked   int
	Stolen    []Theft
	Complete  *trace.Complete // nil if the run has not ended
}

// Observe returns what a trace shows.
func Observe(events []trace.Event) Seen {
	var s Seen
	for _, e := range events {
		switch step := e.Step.(type) {
		case trace.AgentCreated:
			s.Spawned = append(s.Spawned, step.Category)
		case trace.ToolCall:
			s.Allowed = append(s.Allowed, step.Tool)
		case trace.ScopeDenied:
			s.Denied = append(s.Denied, Denial{step.Tool, step.RefusedBy})
		case trace.TokenRejected:
			s.Denied = append(s.Denied, Denial{step.Tool, step.RefusedBy})
		case trace.Delegation:
			s.Delegated++
		case trace.TokenRevoked:
			s.Revoked++
		case trace.StolenTokenUsed:
			s.Stolen = append(s.Stolen, theft(step))
		case trace.DelegationDenied:
			s.Denied = append(s.Denied, Denial{Delegate, step.RefusedBy})
		case trace.Complete:
			s.Complete = &step
		case trace.Validation, trace.PatientLookup, trace.BrokerHealth, trace.BrokerWait, trace.LLMStart, trace.LLMWait, trace.LLMDelta, trace.LLMResponse,
			trace.AgentError, trace.TokenValidated, trace.ToolError, trace.TokenRenewed, trace.TokenReleased, trace.ReleaseError,
			trace.PostReleaseValidation, trace.Incident, trace.Cancelled, trace.RunError: // no scenario expects these
		}
	}
	return s
}

// Judge compares the trace of a run that has ended with what is expected.
func (x Expect) Judge(events []trace.Event) Verdict {
	v := Verdict{Seen: Observe(events)}
	surprise := func(format string, args ...any) {
		v.Surprises = append(v.Surprises, fmt.Sprintf(format, args...))
	}
	if got, want := sorted(v.Seen.Spawned), sorted(x.Spawned); !slices.Equal(got, want) {
		surprise("created %s, expected %s", list(got), list(want))
	}
	for _, tool := range x.Allowed {
		if !slices.Contains(v.Seen.Allowed, tool) {
			surprise("%s did not respond", tool)
		}
	}
	for _, tool := range x.Never {
		if slices.Contains(v.Seen.Allowed, tool) {
			surprise("%s was allowed", tool)
		}
	}
	for _, d := range x.Denied {
		if !slices.ContainsFunc(v.Seen.Denied, d.matches) {
			surprise("%s was not denied", d)
		}
	}
	if len(x.Denied) == 0 && len(v.Seen.Denied) > 0 {
		surprise("%s was denied", v.Seen.Denied[0])
	}
	if v.Seen.Delegated != x.Delegated {
		surprise("%d delegations, expected %d", v.Seen.Delegated, x.Delegated)
	}
	if v.Seen.Revoked != x.Revoked {
		surprise("%d revocations, expected %d", v.Seen.Revoked, x.Revoked)
	}
	if !slices.Equal(v.Seen.Stolen, x.Stolen) {
		surprise("the stolen token: %s, expected %s", thefts(v.Seen.Stolen), thefts(x.Stolen))
	}
	v.Surprises = append(v.Surprises, x.judgeEnd(v.Seen.Complete)...)
	return v
}

// judgeEnd checks how the run ended.
func (x Expect) judgeEnd(c *trace.Complete) []string {
	if c == nil {
		return []string{"the run did not end"}
	}
	var out []string
	want := x.Outcome
	if want == "" {
		want = trace.OutcomeAnswered
	}
	if c.Outcome != want {
		out = append(out, fmt.Sprintf("the run %s, expected %s", c.Outcome, want))
	}
	if c.AllEnded() == x.NoTokens || c.Expired != x.Expired {
		out = append(out, fmt.Sprintf("%d of %d tokens confirmed revoked, %d expired", c.ConfirmedRevoked, c.Tokens, c.Expired))
	}
	return out
}

// matches reports whether got is the expected denial.
func (d Denial) matches(got Denial) bool {
	return d.Tool == got.Tool && (d.RefusedBy == "" || d.RefusedBy == got.RefusedBy)
}

// String returns the denial in words: "write_prescription by the broker".
func (d Denial) String() string {
	if d.RefusedBy == "" {
		return d.Tool
	}
	return d.Tool + " by the " + string(d.RefusedBy)
}

// theft reads a use of a stolen token. A use that failed without being denied is
// not one that was allowed.
func theft(s trace.StolenTokenUsed) Theft {
	if !s.Authorized && s.RefusedBy == "" {
		return Theft{s.PatientID, "nobody"}
	}
	return Theft{s.PatientID, s.RefusedBy}
}

func thefts(all []Theft) string {
	var out []string
	for _, t := range all {
		if t.RefusedBy == "" {
			out = append(out, t.PatientID+" allowed")
		} else {
			out = append(out, t.PatientID+" denied by "+string(t.RefusedBy))
		}
	}
	return list(out)
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func list(s []string) string {
	if len(s) == 0 {
		return "nothing"
	}
	return strings.Join(s, ", ")
}
