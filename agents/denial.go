package agents

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// refusal is what the model receives in place of a tool's result.
type refusal struct {
	Error         string   `json:"error"` // a code, such as "scope_denied"
	Message       string   `json:"message"`
	RequiredScope []string `json:"required_scope,omitempty"`
	HeldScope     []string `json:"held_scope,omitempty"`
	MissingScope  []string `json:"missing_scope,omitempty"`
	RefusedBy     string   `json:"refused_by,omitempty"`
}

func (r refusal) text() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic("agents: encode a refusal: " + err.Error()) // plain strings always encode
	}
	return string(b)
}

// deny logs a call whose token lacks a scope.
func (e *encounter) deny(ctx context.Context, cred *credential, call toolCall, by trace.RefusedBy, v verdict, spans []trace.Span) string {
	e.decided(ctx, cred, call.Call, decisions.Decision{By: string(by), Held: v.held, TokenID: v.tokenID})
	reason := "Token lacks a required scope."
	if len(v.missing) > 0 {
		reason = "Token lacks " + strings.Join(v.missing, ", ") + "."
	}
	e.rec.add(ctx, trace.StatusDenied, fmt.Sprintf("Denied %s: %s for %s. %s", place(by), call.Tool.Name, call.Patient, reason), trace.ScopeDenied{
		Credential: cred.Credential, Tool: call.Tool.Name, CallID: call.id, PatientID: call.Patient.String(), Args: call.Args, IgnoredArgs: call.Ignored,
		RequiredScope: v.required, HeldScope: v.held, MissingScope: v.missing,
		RefusedBy: by, AgentID: cred.agent.ID(), Reason: reason}, spans...)
	return refusal{Error: "scope_denied", Message: fmt.Sprintf("Denied %s: %s", place(by), reason),
		RequiredScope: v.required, HeldScope: v.held, MissingScope: v.missing, RefusedBy: string(by)}.text()
}

// reject logs a call whose token the broker does not accept.
func (e *encounter) reject(ctx context.Context, cred *credential, call toolCall, by trace.RefusedBy, why string, spans []trace.Span) string {
	e.decided(ctx, cred, call.Call, decisions.Decision{By: string(by), Note: "token not accepted: " + why})
	reason := fmt.Sprintf("%s token not accepted: %s.", text.Capitalize(cred.String()), why)
	e.rec.add(ctx, trace.StatusDenied, fmt.Sprintf("Denied %s: %s for %s. %s", place(by), call.Tool.Name, call.Patient, reason), trace.TokenRejected{
		Credential: cred.Credential, Tool: call.Tool.Name, CallID: call.id, PatientID: call.Patient.String(),
		RequiredScope: call.RequiredScopes(), RefusedBy: by, AgentID: cred.agent.ID(), Reason: reason}, spans...)
	return refusal{Error: "token_rejected", Message: reason, RequiredScope: call.RequiredScopes(), RefusedBy: string(by)}.text()
}

// decided adds a decision about a call to MedAssist's own audit log. What the call
// requires and whose credential was to be used is taken from call and cred.
func (e *encounter) decided(ctx context.Context, cred *credential, call tools.Call, d decisions.Decision) {
	d.Tool, d.Patient, d.Required = call.Tool.Name, call.Patient.String(), call.RequiredScopes()
	d.AgentID, d.TaskID, d.OrchID = cred.agent.ID(), cred.agent.TaskID(), cred.agent.OrchID()
	d.TokenID = cmp.Or(d.TokenID, cred.tokenID())
	e.Decisions.Add(ctx, d)
}

// callFailed logs a call that failed for another reason than its authority.
func (e *encounter) callFailed(ctx context.Context, cred *credential, call toolCall, reason string, spans []trace.Span) string {
	e.rec.add(ctx, trace.StatusError, call.Tool.Name+": "+reason, trace.ToolError{Category: cred.Category, Tool: call.Tool.Name,
		CallID: call.id, PatientID: call.Patient.String(), Args: string(call.Args), Reason: reason}, spans...)
	return refusal{Error: "tool_failed", Message: reason}.text()
}

// place says where a call was denied: "denied at the gate".
func place(by trace.RefusedBy) string {
	switch by {
	case trace.RefusedByGate:
		return "at the gate"
	case trace.RefusedByBroker:
		return "by the broker"
	default:
		return "by the records API"
	}
}
