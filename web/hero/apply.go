package hero

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// New returns the picture of a run for this patient before its first event.
func New(patientID string) *Hero { return &Hero{patient: patientID} }

// Apply takes the next event and reports whether the picture has changed.
func (h *Hero) Apply(e trace.Event) bool {
	h.now = e.Time
	switch s := e.Step.(type) {
	case trace.PatientLookup:
		h.patient, h.name, h.unknown = s.PatientID, s.Name, !s.Found
	case trace.LLMResponse:
		for _, c := range s.ToolCalls {
			h.request(c)
		}
	case trace.AgentCreated:
		l := h.lane(s.Category)
		l.agent = token{state: alive, id: s.SPIFFEID, scopes: s.Scope, issued: e.Time, expires: e.Time.Add(seconds(s.ExpiresIn))}
	case trace.AgentError:
		h.token(s.Credential).state = failed
	case trace.TokenValidated:
		h.validated(s)
	case trace.Delegation:
		*h.token(s.Credential) = token{state: alive, id: s.DelegateID, scopes: s.DelegatedScope, issued: e.Time, expires: e.Time.Add(seconds(s.ExpiresIn))}
		if from := h.holder(s.DelegatorID); from != nil {
			from.rows = append(from.rows, row{kind: source, patient: h.patient, scopes: s.DelegatedScope})
		}
	case trace.DelegationDenied:
		from := h.holder(s.DelegatorID)
		if from == nil {
			from = h.lane(string(tools.Clinical))
		}
		h.drop(s.CallID)
		from.rows = append(from.rows, row{kind: overreach, tool: s.Tool, callID: s.CallID, patient: s.PatientID,
			scopes: s.RequestedScope, missing: s.MissingScope, by: s.RefusedBy})
	case trace.ToolCall:
		h.decide(s.Category, row{kind: allowed, callID: s.CallID, tool: s.Tool, patient: s.PatientID, scopes: s.RequiredScope, delegated: s.Delegated})
	case trace.ToolError:
		h.failedCall(s)
	case trace.ScopeDenied:
		h.decide(s.Category, row{kind: denied, callID: s.CallID, tool: s.Tool, patient: s.PatientID, scopes: s.RequiredScope,
			missing: s.MissingScope, by: s.RefusedBy, delegated: s.Delegated})
	case trace.TokenRejected:
		t := h.token(s.Credential)
		if t.state == alive {
			t.state = revoked
			if !e.Time.Before(t.expires) {
				t.state = expired
			}
		}
		h.decide(s.Category, row{kind: denied, callID: s.CallID, tool: s.Tool, patient: s.PatientID, scopes: s.RequiredScope,
			by: s.RefusedBy, over: t.state, delegated: s.Delegated})
	case trace.TokenRenewed:
		t := h.token(s.Credential)
		t.issued, t.expires = e.Time, e.Time.Add(seconds(s.NewExpiresIn))
	case trace.TokenRevoked:
		for _, c := range s.Credentials {
			h.token(c).end(revoked)
		}
	case trace.TokenReleased:
		h.token(s.Credential).end(released)
	case trace.PostReleaseValidation:
		h.confirmed(s, e.Time)
	case trace.StolenTokenUsed:
		h.stolen(theft{category: s.Category, patient: s.PatientID, allowed: s.Authorized, failed: !s.Authorized && s.RefusedBy == "",
			scope: len(s.MissingScope) > 0, after: h.token(s.Credential).over()})
	case trace.Cancelled, trace.RunError:
		h.stopped = true
		h.dropPending()
	case trace.Complete:
		h.ended = &s
		h.dropPending()
	case trace.Validation, trace.BrokerHealth, trace.BrokerWait, trace.LLMStart, trace.LLMWait, trace.LLMDelta, trace.ReleaseError, trace.Incident:
		return false
	}
	return true
}

// stolen adds a use of a stolen token. Uses for further patients that are denied for
// the same reason share a row.
func (h *Hero) stolen(t theft) {
	if n := len(h.thefts); n > 0 {
		last := &h.thefts[n-1]
		if !last.allowed && !t.allowed && last.scope && t.scope && last.after == t.after {
			last.more++
			return
		}
	}
	h.thefts = append(h.thefts, t)
}

func (t *token) end(s state) {
	if t.state == alive {
		t.state = s
	}
}

// validated takes the times of the token's own claims, which are more exact than
// those that were computed from its lifetime.
func (h *Hero) validated(s trace.TokenValidated) {
	t := h.token(s.Credential)
	if s.Valid && s.IssuedAt > 0 && s.ExpiresAt > s.IssuedAt {
		t.issued, t.expires = time.Unix(s.IssuedAt, 0), time.Unix(s.ExpiresAt, 0)
	}
}

// confirmed takes the broker's validation of a token that should have ended.
func (h *Hero) confirmed(s trace.PostReleaseValidation, now time.Time) {
	t := h.token(s.Credential)
	switch {
	case s.Token != trace.TokenOfRelease:
	case s.Valid:
		t.state = alive // it was released, and the broker still accepts it
	case t.state == alive && !now.Before(t.expires):
		t.state = expired
	case t.state == alive:
		t.state = revoked
	}
}

// request adds a row for a call that the model has requested.
func (h *Hero) request(c trace.LLMCall) {
	tool, ok := tools.ByName(c.Tool)
	if !ok {
		return
	}
	var args struct {
		PatientID string `json:"patient_id"`
	}
	if json.Unmarshal([]byte(c.Args), &args) != nil || args.PatientID == "" {
		return
	}
	l := h.lane(string(tool.Category))
	l.rows = append(l.rows, row{kind: pending, callID: c.CallID, tool: c.Tool, patient: args.PatientID, delegated: tool.Delegated()})
}

// decide turns the row of a requested call into that of a decided one.
func (h *Hero) decide(category string, r row) {
	l := h.lane(category)
	if i := slices.IndexFunc(l.rows, func(x row) bool { return x.kind == pending && x.callID == r.callID }); i >= 0 {
		l.rows[i] = r
		return
	}
	l.rows = append(l.rows, r)
}

func (h *Hero) failedCall(s trace.ToolError) {
	for _, l := range h.lanes {
		for i, r := range l.rows {
			if r.kind == pending && r.callID == s.CallID {
				l.rows[i].kind = unfinished
			}
		}
	}
}

// drop removes the row of a requested call that was never made.
func (h *Hero) drop(callID string) {
	for _, l := range h.lanes {
		l.rows = slices.DeleteFunc(l.rows, func(r row) bool { return r.kind == pending && r.callID == callID })
	}
}

func (h *Hero) dropPending() {
	for _, l := range h.lanes {
		l.rows = slices.DeleteFunc(l.rows, func(r row) bool { return r.kind == pending })
	}
}

// lane returns the lane of a category, and adds it in its place if there is none.
func (h *Hero) lane(category string) *lane {
	if l := h.find(category); l != nil {
		return l
	}
	l := &lane{category: category}
	h.lanes = append(h.lanes, l)
	slices.SortStableFunc(h.lanes, func(a, b *lane) int { return order(a.category) - order(b.category) })
	return l
}

// order returns the place of a category from top to bottom.
func order(category string) int {
	return slices.Index(tools.Categories(), tools.Category(category))
}

func (h *Hero) token(c trace.Credential) *token {
	l := h.lane(c.Category)
	if c.Delegated {
		return &l.delegated
	}
	return &l.agent
}

// holder returns the lane of the agent with this SPIFFE ID, or nil.
func (h *Hero) holder(id string) *lane {
	for _, l := range h.lanes {
		if l.agent.id == id && id != "" {
			return l
		}
	}
	return nil
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
