package agents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// toolCall is a parsed tool call together with the model's ID for it.
type toolCall struct {
	tools.Call
	id string
}

// call makes one tool call, or refuses it, and returns what the model receives as
// its result. An error ends the run.
func (e *encounter) call(ctx context.Context, requested llm.ToolCall) (result string, err error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	parsed, err := tools.Parse(requested.Name, requested.Arguments)
	if err != nil {
		name := text.Clip(requested.Name, maxShownName)
		e.rec.add(ctx, trace.StatusError, name+": "+err.Error(), trace.ToolError{
			Tool: name, CallID: requested.ID, Args: text.Clip(requested.Arguments, maxShownArgs), Reason: err.Error()})
		return refusal{Error: "invalid_call", Message: err.Error()}.text(), nil
	}
	if result, ok := e.repeated(parsed); ok {
		return result, nil
	}
	call := toolCall{parsed, requested.ID}
	cred, refused, err := e.credentialFor(ctx, call)
	if err != nil {
		return "", err
	}
	if refused != nil {
		return refused.text(), nil
	}
	return e.authorize(ctx, cred, call)
}

// authorize takes a call through the gate and, if it is allowed, to the records API.
func (e *encounter) authorize(ctx context.Context, cred *credential, call toolCall) (string, error) {
	e.pace.wait(ctx, fmt.Sprintf("call %s for %s", call.Tool.Name, call.Patient), true)
	token := cred.agent.AccessToken()
	gate, validation := e.rec.span(trace.LaneGate, "check"), e.rec.span(trace.LaneBroker, "validate")
	var v verdict
	err := e.patiently(ctx, fmt.Sprintf("check the %s token", cred), func() (err error) {
		limited, cancel := context.WithTimeout(ctx, e.Limits.BrokerCall)
		defer cancel()
		v, err = checkToken(limited, e.Broker, token, call.RequiredScopes())
		return err
	})
	spans := []trace.Span{gate(), validation()}
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		e.callFailed(ctx, cred, call, "The call was not made because its token could not be checked: "+describeBrokerError(err).reason+".", spans)
		return "", e.brokerFailure(err)
	case v.rejected != "":
		return e.reject(ctx, cred, call, trace.RefusedByGate, v.rejected, spans), nil
	case !v.allowed():
		return e.deny(ctx, cred, call, trace.RefusedByGate, v, spans), nil
	}
	e.decided(ctx, cred, call.Call, decisions.Decision{By: string(trace.RefusedByGate), Allowed: true, Held: v.held, TokenID: v.tokenID})
	return e.execute(ctx, cred, call, v, token, spans)
}

// execute makes the call at the records API, which checks the token again.
func (e *encounter) execute(ctx context.Context, cred *credential, call toolCall, v verdict, token string, spans []trace.Span) (string, error) {
	callCtx := ctx
	if call.Tool.Writes() {
		// A write that has begun is not abandoned: the run must know whether it was made.
		callCtx = context.WithoutCancel(ctx)
	}
	limited, cancel := context.WithTimeout(callCtx, e.Limits.ToolCall)
	defer cancel()
	done := e.rec.span(trace.LaneRecords, call.Tool.Name)
	result, err := e.Tools.Do(limited, call.Call, token)
	spans = append(spans, done())
	var refused *tools.Refused
	switch {
	case errors.Is(err, tools.ErrTokenRejected) && errors.As(err, &refused):
		return e.reject(ctx, cred, call, trace.RefusedByRecords, refused.Detail, spans), nil
	case errors.Is(err, tools.ErrScopeDenied) && errors.As(err, &refused):
		v = verdict{required: refused.Required, held: refused.Held, missing: refused.Missing}
		return e.deny(ctx, cred, call, trace.RefusedByRecords, v, spans), nil
	case err != nil:
		return e.callFailed(ctx, cred, call, e.callReason(ctx, limited, call, err), spans), nil
	}
	e.remember(call.Call)
	status, label := trace.StatusSuccess, fmt.Sprintf("%s for %s: allowed", call.Tool.Name, call.Patient)
	if result.NotFound {
		status, label = trace.StatusWarning, fmt.Sprintf("%s: no patient %s", call.Tool.Name, call.Patient)
	}
	e.rec.add(ctx, status, label, trace.ToolCall{Credential: cred.Credential, Tool: call.Tool.Name, CallID: call.id,
		PatientID: call.Patient.String(), Args: call.Args, IgnoredArgs: call.Ignored, Authorized: true, RequiredScope: v.required, HeldScope: v.held,
		AgentID: cred.agent.ID(), Output: result.Output}, spans...)
	return string(result.Output), e.triggerIncident(ctx, cred, call)
}

// callReason returns why a call failed, for the model and the page.
func (e *encounter) callReason(ctx, limited context.Context, call toolCall, err error) string {
	e.Logger.WarnContext(ctx, "tool call failed", slog.String("run", e.id), slog.String("tool", call.Tool.Name), slog.Any("error", err))
	reason := "The call failed: " + err.Error()
	var network *net.OpError
	switch {
	case ctx.Err() != nil:
		reason = "The run was stopped before the records API responded"
	case limited.Err() != nil:
		reason = fmt.Sprintf("The records API did not respond within %s", e.Limits.ToolCall)
	case errors.As(err, &network):
		reason = "The records API can't be reached"
	}
	if call.Tool.Writes() && !errors.Is(err, tools.ErrInvalidCall) {
		reason += "; it is not known whether the write was made"
	}
	return reason + "."
}
