package trace

import "time"

// A Tally counts what the steps of a run show, so that the run's summary reports
// nothing that its trace does not show. The zero Tally is that of a run without
// steps.
type Tally struct {
	agents      []string
	issued      map[Credential]*issued
	allowed     int
	denied      int
	errors      int
	delegations int
	released    int
	lost        []int64 // of lost responses: until when a token that they carried may be valid
	covered     int     // lost responses of a task that was revoked afterwards
}

// issued is what is known about a token.
type issued struct {
	revoked bool  // confirmed by the broker
	expired bool  // not accepted, and its lifetime is over
	until   int64 // when it expires, Unix seconds
}

// Add counts one step.
func (t *Tally) Add(e Event) {
	switch s := e.Step.(type) {
	case AgentCreated:
		t.agents = append(t.agents, s.Category)
		t.issue(s.Credential, e.Time, s.ExpiresIn)
	case Delegation:
		t.delegations++
		t.issue(s.Credential, e.Time, s.ExpiresIn)
	case TokenRenewed:
		if token := t.issued[s.Credential]; token != nil {
			token.until = expiry(e.Time, s.NewExpiresIn)
		}
	case ToolCall:
		t.allowed++
	case ScopeDenied, TokenRejected, DelegationDenied:
		t.denied++
	case ToolError:
		t.errors++
	case AgentError:
		t.errors++
		if s.AnswerLost {
			t.lost = append(t.lost, s.ValidUntil)
		}
	case TokenReleased:
		t.released++
	case TokenRevoked:
		if s.Level == taskLevel && !s.Released {
			// The revocation covers every token of the run, known or not.
			t.covered += len(t.lost)
			t.lost = nil
		}
	case ReleaseError:
		if s.AnswerLost {
			t.lost = append(t.lost, s.ValidUntil)
		}
		if token := t.issued[s.Credential]; token != nil && s.Expired {
			token.expired = true
		}
	case PostReleaseValidation:
		if token := t.issued[s.Credential]; token != nil && s.Token == TokenOfRelease {
			token.revoked = !s.Valid
		}
	case Validation, PatientLookup, BrokerHealth, BrokerWait, LLMStart, LLMWait, LLMDelta, LLMResponse, TokenValidated,
		Incident, StolenTokenUsed, Cancelled, RunError, Complete: // not counted
	}
}

// taskLevel is the level of a revocation that names the task, which is the run.
const taskLevel = "task"

func (t *Tally) issue(c Credential, at time.Time, expiresIn int) {
	if t.issued == nil {
		t.issued = make(map[Credential]*issued)
	}
	t.issued[c] = &issued{until: expiry(at, expiresIn)}
}

// expiry returns the end of a lifetime in seconds, rounded up.
func expiry(at time.Time, expiresIn int) int64 { return at.Unix() + 1 + int64(expiresIn) }

// Lost returns the number of lost responses that may have carried a token.
func (t *Tally) Lost() int { return len(t.lost) }

// Complete returns the summary of the steps so far. It reports all tokens as
// revoked only if at least one was issued, the broker confirmed each of them, and
// no response was lost that may have carried another.
func (t *Tally) Complete(patientID string, outcome Outcome, took time.Duration) Complete {
	c := Complete{
		PatientID: patientID, Agents: t.agents, AgentsCount: len(t.agents),
		Allowed: t.allowed, Denied: t.denied, Errors: t.errors,
		Delegations: t.delegations, Tokens: len(t.issued), Released: t.released,
		Unaccounted: len(t.lost), RevokedUnseen: t.covered, Outcome: outcome, Milliseconds: took.Milliseconds(),
	}
	if c.Agents == nil {
		c.Agents = []string{}
	}
	for _, token := range t.issued {
		switch {
		case token.revoked:
			c.ConfirmedRevoked++
		case token.expired:
			c.Expired++
		default:
			c.ValidUntil = max(c.ValidUntil, token.until)
		}
	}
	for _, until := range t.lost {
		c.ValidUntil = max(c.ValidUntil, until)
	}
	c.AllRevoked = c.Tokens > 0 && c.ConfirmedRevoked == c.Tokens && c.Unaccounted == 0
	return c
}
