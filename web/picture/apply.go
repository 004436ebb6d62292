package picture

import (
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// Apply applies the next event and reports whether it concerned a token.
func (t *Tokens) Apply(e trace.Event) (changed bool) {
	t.Now = e.Time
	switch s := e.Step.(type) {
	case trace.AgentCreated:
		t.issue(s.Credential, Credential{SPIFFEID: s.SPIFFEID, Scope: s.Scope, Expires: e.Time.Add(seconds(s.ExpiresIn))})
	case trace.AgentError:
		failed := Credential{State: Failed, Scope: s.Scope, Problem: s.Error}
		if e.Status == trace.StatusDenied {
			failed.State = Denied // refused by the broker
		}
		*t.credential(s.Credential) = failed
	case trace.Delegation:
		t.issue(s.Credential, Credential{SPIFFEID: s.DelegateID, Scope: s.DelegatedScope, Expires: e.Time.Add(seconds(s.ExpiresIn))})
	case trace.TokenValidated:
		t.credential(s.Credential).validated(s, e.Time)
	case trace.TokenRejected:
		t.credential(s.Credential).foundInvalid(e.Time)
	case trace.TokenRenewed:
		c := t.credential(s.Credential)
		c.Renewals++
		c.Issued, c.Expires = e.Time, e.Time.Add(seconds(s.NewExpiresIn))
	case trace.TokenRevoked:
		for _, id := range s.Credentials {
			t.credential(id).revoked()
		}
	case trace.TokenReleased:
		t.credential(s.Credential).released()
	case trace.ReleaseError:
		t.credential(s.Credential).Problem = s.Stage + " failed"
	case trace.PostReleaseValidation:
		t.credential(s.Credential).confirmed(s, e.Time)
	case trace.Validation, trace.PatientLookup, trace.BrokerHealth, trace.BrokerWait, trace.LLMStart, trace.LLMWait, trace.LLMDelta, trace.LLMResponse,
		trace.DelegationDenied, trace.ToolCall, trace.ToolError, trace.ScopeDenied, trace.Incident, trace.StolenTokenUsed,
		trace.Cancelled, trace.RunError, trace.Complete:
		return false
	}
	return true
}

// issue adds a new token. It replaces an earlier one of the same name.
func (t *Tokens) issue(id trace.Credential, created Credential) {
	created.State, created.Issued = Alive, t.Now
	*t.credential(id) = created
}

// credential returns the credential that id names, and adds it if there is none.
func (t *Tokens) credential(id trace.Credential) *Credential {
	if t.byID == nil {
		t.byID = make(map[trace.Credential]*Credential)
	}
	if t.byID[id] == nil {
		t.byID[id] = &Credential{}
	}
	return t.byID[id]
}

// validated applies the claims of a token, which take precedence over what was
// requested.
func (c *Credential) validated(s trace.TokenValidated, now time.Time) {
	if !s.Valid {
		c.foundInvalid(now)
		return
	}
	c.Scope = s.Scope
	if s.IssuedAt > 0 && s.ExpiresAt > s.IssuedAt {
		c.Issued, c.Expires = time.Unix(s.IssuedAt, 0), time.Unix(s.ExpiresAt, 0)
	}
}

// foundInvalid records that the broker rejected an active token. The broker does
// not say why, so the token was revoked unless it has expired.
func (c *Credential) foundInvalid(now time.Time) {
	if c.State != Alive {
		return
	}
	c.State = Revoked
	if !now.Before(c.Expires) {
		c.State = Expired
	}
}

// revoked ends an active token after a revocation.
func (c *Credential) revoked() {
	if c.State == Alive {
		c.State = Revoked
	}
}

// released ends an active token after its release. A token that had ended keeps
// its state.
func (c *Credential) released() {
	if c.State == Alive {
		c.State = Released
	}
}

// confirmed applies the broker's validation of a token that should be revoked.
func (c *Credential) confirmed(s trace.PostReleaseValidation, now time.Time) {
	switch {
	case s.Valid && s.Token == trace.TokenOfRelease:
		c.State, c.Proof = Alive, StillValid
	case s.Valid:
		c.Proof = StillValid
	case s.Token == trace.TokenOfRelease:
		c.foundInvalid(now)
		c.Proof = ConfirmedRevoked
	}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
