package view

import "github.com/devonartis/medassist-go/trace"

// Meaning is what a step means to authority; each has a sign, a word and a
// colour.
type Meaning string

// The meanings. Plain steps have none of the five; Trouble is what failed for
// another reason than authority.
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

// Word says the meaning to those who see neither sign nor colour; plain steps
// need none.
func (m Meaning) Word() string {
	if m == Plain {
		return ""
	}
	return string(m)
}

// meaningOf is the one table from a step to what it means.
func meaningOf(e trace.Event) Meaning {
	switch s := e.Step.(type) {
	case trace.ToolCall:
		return Allowed
	case trace.ScopeDenied, trace.TokenRejected, trace.DelegationDenied:
		return Denied
	case trace.Delegation:
		return Delegated
	case trace.AgentCreated, trace.TokenRenewed:
		return Alive
	case trace.TokenReleased, trace.TokenRevoked:
		return Ended
	case trace.StolenTokenUsed:
		if s.RefusedBy != "" {
			return Denied
		}
		return Trouble
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
	case trace.Validation, trace.PatientLookup, trace.BrokerHealth, trace.LLMStart, trace.LLMDelta, trace.LLMResponse,
		trace.AgentError, trace.ToolError, trace.ReleaseError, trace.Incident, trace.Cancelled, trace.RunError, trace.Complete:
		// Their status decides, below.
	}
	if e.Status == trace.StatusError || e.Status == trace.StatusWarning {
		return Trouble
	}
	return Plain
}
