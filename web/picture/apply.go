package picture

import (
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// Apply applies the next event and reports whether it changed the picture. Steps
// that do not concern credentials or decisions, such as a model's turn, do not.
func (p *Picture) Apply(e trace.Event) (changed bool) {
	p.Now, p.Seq = e.Time, e.Seq
	switch s := e.Step.(type) {
	case trace.Validation:
		p.Patient.ID = s.PatientID
	case trace.PatientLookup:
		p.Patient = Patient{ID: s.PatientID, Unknown: !s.Found}
	case trace.BrokerHealth:
		p.Broker = s.Error
	case trace.AgentCreated:
		return p.issue(s.Credential, Credential{
			AgentID: s.AgentID, SPIFFEID: s.SPIFFEID, Scope: s.Scope,
			Expires: e.Time.Add(seconds(s.ExpiresIn)),
		})
	case trace.AgentError:
		return p.change(s.Credential, func(c *Credential) {
			*c = Credential{State: Failed, Scope: s.Scope, Problem: s.Error}
			if s.ErrorCode != "" {
				c.State = Denied // refused by the broker
			}
		})
	case trace.Delegation:
		return p.issue(s.Credential, Credential{
			AgentID: s.DelegateID, SPIFFEID: s.DelegateID, Scope: s.DelegatedScope,
			From: p.category(s.DelegatorID), Expires: e.Time.Add(seconds(s.ExpiresIn)),
		})
	case trace.DelegationDenied:
		p.Refused = append(p.Refused, RefusedDelegation{
			Seq: e.Seq, From: p.category(s.DelegatorID), To: p.category(s.DelegateID),
			Scope: s.RequestedScope, Tool: s.Tool, By: s.RefusedBy, Reason: s.Reason,
		})
	case trace.TokenValidated:
		return p.change(s.Credential, func(c *Credential) { c.validated(s, e.Time) })
	case trace.ToolCall:
		return p.call(s.Credential, Call{
			Tool: s.Tool, PatientID: s.PatientID, Required: s.RequiredScope,
		})
	case trace.ScopeDenied:
		return p.call(s.Credential, Call{
			Tool: s.Tool, PatientID: s.PatientID, Required: s.RequiredScope,
			Missing: s.MissingScope, RefusedBy: s.RefusedBy, Reason: s.Reason,
		})
	case trace.TokenRejected:
		dead := Revoked
		p.change(s.Credential, func(c *Credential) { c.foundInvalid(e.Time); dead = c.State })
		return p.call(s.Credential, Call{
			Tool: s.Tool, PatientID: s.PatientID, Required: s.RequiredScope,
			RefusedBy: s.RefusedBy, TokenState: dead, Reason: s.Reason,
		})
	case trace.TokenRenewed:
		return p.change(s.Credential, func(c *Credential) {
			c.Renewals++
			c.Issued, c.Expires = e.Time, e.Time.Add(seconds(s.NewExpiresIn))
		})
	case trace.TokenRevoked:
		for _, id := range s.Credentials {
			changed = p.change(id, (*Credential).revoked) || changed
		}
		return changed
	case trace.TokenReleased:
		return p.change(s.Credential, (*Credential).released)
	case trace.ReleaseError:
		return p.change(s.Credential, func(c *Credential) { c.Problem = s.Stage + " failed" })
	case trace.PostReleaseValidation:
		return p.change(s.Credential, func(c *Credential) { c.confirmed(s, e.Time) })
	case trace.Cancelled:
		p.Stopped = "cancelled by " + s.By
	case trace.RunError:
		p.Stopped = "stopped: " + s.Stage + " failed"
	case trace.Complete:
		p.Ended = &s
	case trace.LLMStart, trace.LLMWait, trace.LLMDelta, trace.LLMResponse, trace.ToolError, trace.Incident, trace.StolenTokenUsed:
		return false
	}
	return true
}

// issue adds a new token. In a lane that has one it replaces it; the calls stay.
func (p *Picture) issue(id trace.Credential, created Credential) bool {
	return p.change(id, func(c *Credential) {
		*c = created
		c.State, c.Issued = Alive, p.Now
	})
}

// change modifies the credential that id names and marks it as changed by this
// event. A category without a lane is ignored.
func (p *Picture) change(id trace.Credential, alter func(*Credential)) bool {
	l := p.lane(id.Category)
	if l == nil {
		return false
	}
	c := &l.Agent
	if id.Delegated {
		c = &l.Delegated
	}
	alter(c)
	c.Seq = p.Seq
	return true
}

func (p *Picture) call(id trace.Credential, c Call) bool {
	l := p.lane(id.Category)
	if l == nil {
		return false
	}
	c.Seq, c.Delegated = p.Seq, id.Delegated
	l.Calls = append(l.Calls, c)
	return true
}

func (p *Picture) lane(category string) *Lane {
	for i := range p.Lanes {
		if p.Lanes[i].Category == category {
			return &p.Lanes[i]
		}
	}
	return nil
}

// category returns the category of the agent with that ID.
func (p *Picture) category(agentID string) string {
	for _, l := range p.Lanes {
		if a := l.Agent; agentID != "" && (a.AgentID == agentID || a.SPIFFEID == agentID) {
			return l.Category
		}
	}
	return ""
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
