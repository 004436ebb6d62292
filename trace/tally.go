package trace

import "time"

// A Tally counts a run's steps, so that its summary is derived from what was
// shown and from nothing else. The zero Tally is that of a run without steps.
type Tally struct {
	agents      []string
	issued      map[Credential]bool // true once the broker confirmed it as revoked
	allowed     int
	denied      int
	errors      int
	delegations int
	released    int
	answersLost int
}

// Add counts one step.
func (t *Tally) Add(s Step) {
	switch s := s.(type) {
	case AgentCreated:
		t.agents = append(t.agents, s.Category)
		t.issue(s.Credential)
	case Delegation:
		t.delegations++
		t.issue(s.Credential)
	case ToolCall:
		t.allowed++
	case ScopeDenied, TokenRejected, DelegationDenied:
		t.denied++
	case ToolError:
		t.errors++
	case AgentError:
		t.errors++
		if s.AnswerLost {
			t.answersLost++
		}
	case TokenReleased:
		t.released++
	case ReleaseError:
		if s.AnswerLost {
			t.answersLost++
		}
	case PostReleaseValidation:
		if _, ok := t.issued[s.Credential]; ok && s.Token == TokenOfRelease {
			t.issued[s.Credential] = !s.Valid
		}
	case Validation, PatientLookup, BrokerHealth, LLMStart, LLMWait, LLMDelta, LLMResponse, TokenValidated, TokenRenewed,
		Incident, TokenRevoked, StolenTokenUsed, Cancelled, RunError, Complete: // not counted
	}
}

func (t *Tally) issue(c Credential) {
	if t.issued == nil {
		t.issued = make(map[Credential]bool)
	}
	t.issued[c] = false
}

// Complete returns the summary so far. It reports all tokens as revoked only if
// there was one, the broker confirmed each as revoked, and no lost response may
// have carried another.
func (t *Tally) Complete(patientID string, outcome Outcome, took time.Duration) Complete {
	c := Complete{
		PatientID: patientID, Agents: t.agents, AgentsCount: len(t.agents),
		Allowed: t.allowed, Denied: t.denied, Errors: t.errors,
		Delegations: t.delegations, Tokens: len(t.issued), Released: t.released,
		Unaccounted: t.answersLost, Outcome: outcome, Milliseconds: took.Milliseconds(),
	}
	if c.Agents == nil {
		c.Agents = []string{}
	}
	for _, revoked := range t.issued {
		if revoked {
			c.ConfirmedRevoked++
		}
	}
	c.AllRevoked = c.Tokens > 0 && c.ConfirmedRevoked == c.Tokens && c.Unaccounted == 0
	return c
}
