package run

import (
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/ui"
)

// Fact is one piece of a step's detail.
type Fact struct {
	Name   string
	Value  string
	Note   string    // what the value is
	Mono   bool      // the value is an identifier
	Scopes []ui.Chip // instead of a value
}

// facts collects facts; it leaves out empty ones.
type facts []Fact

func (f *facts) text(name, value string) { f.add(Fact{Name: name, Value: value}) }

func (f *facts) mono(name, value string) { f.add(Fact{Name: name, Value: value, Mono: true}) }

func (f *facts) claim(name, value, note string) {
	f.add(Fact{Name: name, Value: value, Note: note, Mono: true})
}

func (f *facts) scopes(name string, scopes []string) {
	f.add(Fact{Name: name, Scopes: ui.Chips(scopes)})
}

func (f *facts) add(x Fact) {
	if x.Value != "" || len(x.Scopes) > 0 {
		*f = append(*f, x)
	}
}

// factsOf returns what is worth reading in a step.
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
	case trace.BrokerWait:
		f.text("before", s.Operation)
		f.text("reason", s.Reason)
	case trace.LLMStart:
		f.mono("tools", strings.Join(s.Tools, " "))
	case trace.LLMWait:
		f.text("reason", s.Reason)
	case trace.LLMResponse:
		f.response(s)
	case trace.AgentCreated:
		f.mono("SPIFFE ID", s.SPIFFEID)
		f.scopes("scope", s.Scope)
		f.mono("token", s.TokenPreview)
		f.text("expires in", seconds(s.ExpiresIn))
		f.mono("registered for", s.Trigger)
	case trace.AgentError:
		f.scopes("requested", s.Scope)
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
		f.scopes("delegator's scope", s.DelegatorScope)
		f.mono("from", s.DelegatorID)
		f.mono("to", s.DelegateID)
		f.mono("token", s.TokenPreview)
		f.text("expires in", seconds(s.ExpiresIn))
	case trace.DelegationDenied:
		f.mono("from", s.DelegatorID)
		f.mono("to", s.DelegateID)
		f.mono("code", s.ErrorCode)
		f.mono("request ID", s.RequestID)
	case trace.TokenRenewed:
		f.mono("old token", s.OldPreview)
		f.mono("new token", s.NewPreview)
		f.text("expires in", seconds(s.NewExpiresIn))
	case trace.TokenReleased:
		f.mono("agent", s.AgentID)
	case trace.ReleaseError:
		f.text("stage", s.Stage)
		f.text("error", s.Error)
	case trace.PostReleaseValidation:
		f.text("token", checkedToken(s))
		f.text("broker", s.Error)
	case trace.TokenRevoked:
		f.text("level", s.Level)
		f.mono("target", s.Target)
		f.text("revoked", credentialNames(s.Credentials))
		f.text("still valid", credentialNames(s.StillValid))
		f.text("not confirmed", credentialNames(s.Unconfirmed))
	case trace.StolenTokenUsed:
		f.mono("token", s.TokenPreview)
		f.scopes("required", s.RequiredScope)
		f.scopes("held", s.HeldScope)
		f.text("reason", s.Reason)
	case trace.Cancelled:
		f.text("by", s.By)
		f.text("reason", s.Reason)
	case trace.RunError:
		f.text("stage", s.Stage)
		f.text("error", s.Message)
		f.text("fix", s.Hint)
	case trace.Complete:
		f.text("tokens", fmt.Sprintf("%d issued, %d released, %d confirmed revoked", s.Tokens, s.Released, s.ConfirmedRevoked))
	case trace.LLMDelta, trace.Incident: // their label says it all
	}
	return f
}

// claims explains the claims of a token as the broker decoded them.
func (f *facts) claims(s trace.TokenValidated) {
	f.text("error", s.Error)
	f.claim("sub", s.Subject, "agent")
	f.scopes("scope", s.Scope)
	f.claim("task_id", s.TaskID, "task: this run")
	f.claim("orch_id", s.OrchID, "orchestrator")
	f.claim("iat", unixTime(s.IssuedAt), "issued")
	f.claim("exp", unixTime(s.ExpiresAt), "expires")
	f.claim("jti", s.TokenID, "token ID")
	f.claim("iss", s.Issuer, "issuer")
	f.claim("aud", strings.Join(s.Audience, ", "), "audience")
	for _, hop := range s.Chain {
		f.claim("delegated by", hop.Agent, "")
		f.scopes("delegator's scope", hop.Scope)
	}
}

func (f *facts) response(s trace.LLMResponse) {
	for _, c := range s.ToolCalls {
		f.mono("requests", c.Tool+" "+c.Args)
	}
	f.text("finish reason", s.FinishReason)
	f.text("answered by", s.StandIn)
	f.text("warning", s.Warning)
	if s.PromptTokens+s.CompletionTokens > 0 {
		f.text("tokens", fmt.Sprintf("%d prompt, %d completion", s.PromptTokens, s.CompletionTokens))
	}
}

// checkedToken returns which token a validation after a release is about.
func checkedToken(s trace.PostReleaseValidation) string {
	if s.Token == trace.TokenOfRenewal {
		return "replaced by the renewal"
	}
	return "released"
}

func seconds(n int) string { return (time.Duration(n) * time.Second).String() }

// unixTime returns the time of day of a claim, or an empty string if the claim
// is absent.
func unixTime(t int64) string {
	if t == 0 {
		return ""
	}
	return ui.ClockTime(time.Unix(t, 0))
}

// credentialNames lists credentials, such as "clinical, delegated prescription".
func credentialNames(all []trace.Credential) string {
	var names []string
	for _, c := range all {
		if c.Delegated {
			names = append(names, "delegated "+c.Category)
		} else {
			names = append(names, c.Category)
		}
	}
	return strings.Join(names, ", ")
}
