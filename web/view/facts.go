package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// facts gathers what is worth reading; what is empty is left out.
type facts []Fact

func (f *facts) text(name, value string) { f.add(Fact{Name: name, Value: value}) }

func (f *facts) mono(name, value string) { f.add(Fact{Name: name, Value: value, Mono: true}) }

func (f *facts) claim(name, value, means string) {
	f.add(Fact{Name: name, Value: value, Note: means, Mono: true})
}

func (f *facts) scopes(name string, scopes []string) {
	f.add(Fact{Name: name, Scopes: Chips(scopes)})
}

func (f *facts) add(x Fact) {
	if x.Value != "" || len(x.Scopes) > 0 {
		*f = append(*f, x)
	}
}

// factsOf picks what is worth reading out of a step.
func factsOf(step trace.Step) []Fact {
	var f facts
	switch s := step.(type) {
	case trace.Validation:
		f.text("request", s.Request)
		f.text("pace", s.Pace)
	case trace.PatientLookup:
		f.text("name", s.Name)
	case trace.BrokerHealth:
		f.mono("address", s.URL)
		f.text("status", s.Status)
		f.text("version", s.Version)
		f.text("error", s.Error)
	case trace.LLMStart:
		f.mono("on offer", strings.Join(s.Tools, " "))
	case trace.LLMResponse:
		f.response(s)
	case trace.AgentCreated:
		f.mono("SPIFFE ID", s.SPIFFEID)
		f.scopes("scope", s.Scope)
		f.mono("token", s.TokenPreview)
		f.text("lives", seconds(s.ExpiresIn))
		f.mono("spawned for", s.Trigger)
	case trace.AgentError:
		f.scopes("wanted", s.Scope)
		f.text("error", s.Error)
		f.mono("code", s.ErrorCode)
		f.mono("request ID", s.RequestID)
	case trace.TokenValidated:
		f.claims(s)
	case trace.ToolCall:
		f.scopes("required", s.RequiredScope)
		f.scopes("held", s.HeldScope)
		f.mono("agent", s.AgentID)
	case trace.ToolError:
		f.text("reason", s.Reason)
		f.mono("arguments", s.Args)
	case trace.ScopeDenied:
		f.text("reason", s.Reason)
		f.mono("agent", s.AgentID)
	case trace.TokenRejected:
		f.mono("agent", s.AgentID)
	case trace.Delegation:
		f.scopes("delegated", s.DelegatedScope)
		f.scopes("out of", s.DelegatorScope)
		f.mono("from", s.DelegatorID)
		f.mono("to", s.DelegateID)
		f.mono("token", s.TokenPreview)
		f.text("lives", seconds(s.ExpiresIn))
	case trace.DelegationDenied:
		f.mono("from", s.DelegatorID)
		f.mono("to", s.DelegateID)
		f.mono("code", s.ErrorCode)
		f.mono("request ID", s.RequestID)
	case trace.TokenRenewed:
		f.mono("before", s.OldPreview)
		f.mono("after", s.NewPreview)
		f.text("lives", seconds(s.NewExpiresIn))
	case trace.TokenReleased:
		f.mono("agent", s.AgentID)
	case trace.ReleaseError:
		f.text("at", s.Stage)
		f.text("error", s.Error)
	case trace.PostReleaseValidation:
		f.text("asked about", asked(s))
		f.text("the broker says", s.Error)
	case trace.TokenRevoked:
		f.text("level", s.Level)
		f.mono("target", s.Target)
		f.text("the broker says", fmt.Sprintf("%d revoked", s.Count))
	case trace.StolenTokenUsed:
		f.mono("token", s.TokenPreview)
		f.scopes("required", s.RequiredScope)
		f.scopes("held", s.HeldScope)
		f.text("reason", s.Reason)
	case trace.Cancelled:
		f.text("by", s.By)
		f.text("reason", s.Reason)
	case trace.RunError:
		f.text("at", s.Stage)
		f.text("what happened", s.Message)
		f.text("try", s.Hint)
	case trace.Complete:
		f.text("tokens", fmt.Sprintf("%d issued, %d released, %d proven dead", s.Tokens, s.Released, s.ConfirmedRevoked))
	case trace.LLMDelta, trace.Incident: // their label says it all
	}
	return f
}

// claims explains what the broker says of a token.
func (f *facts) claims(s trace.TokenValidated) {
	f.text("error", s.Error)
	f.claim("sub", s.Subject, "whose token it is")
	f.scopes("scope", s.Scope)
	f.claim("task_id", s.TaskID, "for this run only")
	f.claim("orch_id", s.OrchID, "who set it to work")
	f.claim("iat", unix(s.IssuedAt), "when it was made")
	f.claim("exp", unix(s.ExpiresAt), "when it dies")
	f.claim("jti", s.TokenID, "this one token")
	f.claim("iss", s.Issuer, "who says so")
	for _, hop := range s.Chain {
		f.claim("delegated by", hop.Agent, "")
		f.scopes("which held", hop.Scope)
	}
}

func (f *facts) response(s trace.LLMResponse) {
	for _, c := range s.ToolCalls {
		f.mono("asks for", c.Tool+" "+c.Args)
	}
	f.text("finished by", s.FinishReason)
	f.text("answered by", s.StandIn)
	if s.PromptTokens+s.CompletionTokens > 0 {
		f.text("tokens", fmt.Sprintf("%d read, %d written", s.PromptTokens, s.CompletionTokens))
	}
}

func asked(s trace.PostReleaseValidation) string {
	if s.Token == trace.TokenOfRenewal {
		return "the token that was replaced"
	}
	return "the token that was released"
}

func seconds(n int) string { return (time.Duration(n) * time.Second).String() }

func unix(t int64) string {
	if t == 0 {
		return ""
	}
	return clockTime(time.Unix(t, 0))
}
