package agents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// call makes one tool call, or refuses it, and returns what the model reads as
// its result. An error ends the run.
func (e *encounter) call(ctx context.Context, asked llm.ToolCall) (result string, err error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	parsed, err := tools.Parse(asked.Name, asked.Arguments)
	if err != nil {
		e.rec.add(ctx, trace.StatusError, clip(asked.Name, 100)+": "+err.Error(), trace.ToolError{
			Tool: clip(asked.Name, 100), CallID: asked.ID, Args: clip(asked.Arguments, maxShownArgs), Reason: err.Error()})
		return refusal{Error: "invalid_call", Message: err.Error()}.text(), nil
	}
	n := need{parsed, asked.ID}
	cred, refused, err := e.credentialFor(ctx, n)
	if err != nil {
		return "", err
	}
	if refused != nil {
		return refused.text(), nil
	}
	return e.pass(ctx, cred, n)
}

// pass takes a call through the gate to the records API.
func (e *encounter) pass(ctx context.Context, cred *credential, n need) (string, error) {
	e.pace.wait(ctx, fmt.Sprintf("call %s for %s", n.Tool.Name, n.Patient), true)
	token := cred.agent.AccessToken()
	limited, cancel := context.WithTimeout(ctx, e.Limits.BrokerCall)
	defer cancel()
	atGate, asking := e.rec.span(trace.LaneGate, "check"), e.rec.span(trace.LaneBroker, "validate")
	v, err := checkToken(limited, e.Broker, token, n.RequiredScopes())
	spans := []trace.Span{atGate(), asking()}
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		words, _, _ := brokerWords(err)
		e.fail(ctx, cred, n, "The call was not made, because the broker can't be asked about its token: "+words, spans)
		return "", e.brokerFailure(err)
	case v.dead != "":
		return e.reject(ctx, cred, n, trace.RefusedByGate, v.dead, spans), nil
	case !v.allowed():
		return e.deny(ctx, cred, n, trace.RefusedByGate, v, spans), nil
	}
	return e.fetch(ctx, cred, n, v, token, spans)
}

// fetch makes the call at the records API, which checks the token again.
func (e *encounter) fetch(ctx context.Context, cred *credential, n need, v verdict, token string, spans []trace.Span) (string, error) {
	callCtx := ctx
	if n.Tool.Writes() {
		// A write that has begun is waited for: whether it was done must be known.
		callCtx = context.WithoutCancel(ctx)
	}
	limited, cancel := context.WithTimeout(callCtx, e.Limits.ToolCall)
	defer cancel()
	done := e.rec.span(trace.LaneRecords, n.Tool.Name)
	result, err := e.Tools.Do(limited, n.Call, token)
	spans = append(spans, done())
	var refused *tools.Refused
	switch {
	case errors.Is(err, tools.ErrTokenRejected) && errors.As(err, &refused):
		return e.reject(ctx, cred, n, trace.RefusedByRecords, refused.Detail, spans), nil
	case errors.Is(err, tools.ErrScopeDenied) && errors.As(err, &refused):
		v = verdict{required: refused.Required, held: refused.Held, missing: refused.Missing}
		return e.deny(ctx, cred, n, trace.RefusedByRecords, v, spans), nil
	case err != nil:
		return e.fail(ctx, cred, n, e.callWords(ctx, limited, n, err), spans), nil
	}
	status, label := trace.StatusSuccess, fmt.Sprintf("%s for %s: allowed", n.Tool.Name, n.Patient)
	if result.NotFound {
		status, label = trace.StatusWarning, fmt.Sprintf("%s: there is no patient %s", n.Tool.Name, n.Patient)
	}
	e.rec.add(ctx, status, label, trace.ToolCall{Credential: cred.Credential, Tool: n.Tool.Name, CallID: n.callID,
		PatientID: n.Patient.String(), Args: n.Args, Authorized: true, RequiredScope: v.required, HeldScope: v.held,
		AgentID: cred.agent.ID(), Output: result.Output}, spans...)
	return string(result.Output), e.befall(ctx, cred, n)
}

// callWords says why a call failed, for the model and the page.
func (e *encounter) callWords(ctx, limited context.Context, n need, err error) string {
	e.Logger.WarnContext(ctx, "tool call failed", slog.String("run", e.id), slog.String("tool", n.Tool.Name), slog.Any("error", err))
	words := "The call failed: " + err.Error()
	var network *net.OpError
	switch {
	case ctx.Err() != nil:
		words = "The run was stopped before the records API answered"
	case limited.Err() != nil:
		words = fmt.Sprintf("The records API did not answer within %s", e.Limits.ToolCall)
	case errors.As(err, &network):
		words = "The records API can't be reached"
	}
	if n.Tool.Writes() {
		words += "; whether it was written is not known"
	}
	return words + "."
}

// deny shows a call that lacks a scope.
func (e *encounter) deny(ctx context.Context, cred *credential, n need, by trace.RefusedBy, v verdict, spans []trace.Span) string {
	reason := "What the call requires is not held."
	if len(v.missing) > 0 {
		reason = strings.Join(v.missing, ", ") + " is not held."
	}
	e.rec.add(ctx, trace.StatusDenied, fmt.Sprintf("%s refused %s for %s: %s", place(by), n.Tool.Name, n.Patient, reason), trace.ScopeDenied{
		Credential: cred.Credential, Tool: n.Tool.Name, CallID: n.callID, PatientID: n.Patient.String(), Args: n.Args,
		RequiredScope: v.required, HeldScope: v.held, MissingScope: v.missing,
		RefusedBy: by, AgentID: cred.agent.ID(), Reason: reason}, spans...)
	return refusal{Error: "scope_denied", Message: fmt.Sprintf("Refused by the %s: %s", strings.ToLower(place(by)), reason),
		RequiredScope: v.required, HeldScope: v.held, MissingScope: v.missing, RefusedBy: string(by)}.text()
}

// reject shows a call whose token is dead.
func (e *encounter) reject(ctx context.Context, cred *credential, n need, by trace.RefusedBy, why string, spans []trace.Span) string {
	reason := fmt.Sprintf("The %s token is dead: %s.", cred, why)
	e.rec.add(ctx, trace.StatusDenied, fmt.Sprintf("%s refused %s for %s: the token is dead", place(by), n.Tool.Name, n.Patient), trace.TokenRejected{
		Credential: cred.Credential, Tool: n.Tool.Name, CallID: n.callID, PatientID: n.Patient.String(),
		RequiredScope: n.RequiredScopes(), RefusedBy: by, AgentID: cred.agent.ID(), Reason: reason}, spans...)
	return refusal{Error: "token_rejected", Message: reason, RequiredScope: n.RequiredScopes(), RefusedBy: string(by)}.text()
}

// fail shows a call that came to nothing for another reason.
func (e *encounter) fail(ctx context.Context, cred *credential, n need, reason string, spans []trace.Span) string {
	e.rec.add(ctx, trace.StatusError, n.Tool.Name+": "+reason, trace.ToolError{Category: cred.Category, Tool: n.Tool.Name,
		CallID: n.callID, PatientID: n.Patient.String(), Args: string(n.Args), Reason: reason}, spans...)
	return refusal{Error: "tool_failed", Message: reason}.text()
}

func place(by trace.RefusedBy) string {
	return map[trace.RefusedBy]string{
		trace.RefusedByGate: "Gate", trace.RefusedByBroker: "Broker", trace.RefusedByRecords: "Records API",
	}[by]
}
