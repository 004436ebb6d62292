package agents

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// credentialFor returns the credential that a call is made with: the agent of
// the tool's category, or what the clinical agent delegates to it if the tool
// needs delegated authority.
func (e *encounter) credentialFor(ctx context.Context, call toolCall) (*credential, *refusal, error) {
	holder, refused, err := e.agent(ctx, call.Tool.Category, call)
	if err != nil || refused != nil || !call.Tool.Delegated() {
		return holder, refused, err
	}
	if have := e.credentials.find(delegatedCredential); have != nil && agentwrit.ScopeIsSubset(call.RequiredScopes(), have.agent.Scope()) {
		return have, nil, nil
	}
	clinical, refused, err := e.agent(ctx, tools.Clinical, call)
	if err != nil || refused != nil {
		return nil, refused, err
	}
	return e.delegate(ctx, clinical, holder, call)
}

// delegate asks the broker to delegate exactly what the call requires. It does
// not check first whether the delegator holds that: the broker decides, and a
// prescription for another patient shows that it does.
func (e *encounter) delegate(ctx context.Context, from, to *credential, call toolCall) (*credential, *refusal, error) {
	scope := call.RequiredScopes()
	e.pace.wait(ctx, "delegate "+strings.Join(scope, ", "), true)
	done := e.rec.span(trace.LaneBroker, "delegate")
	cred, err := issue(ctx, e, delegatedCredential, "delegate "+strings.Join(scope, ", "), func(ctx context.Context) (*agentwrit.Agent, error) {
		return from.agent.Delegate(ctx, to.agent.ID(), scope, delegationTTL(from.agent.ExpiresIn()))
	})
	span := done()
	switch {
	case errors.Is(err, agentwrit.ErrNotFound):
		return nil, e.delegateUnknown(ctx, to, call, err, span), nil
	case err != nil && refusedByBroker(err):
		return nil, e.delegationDenied(ctx, from, to, call, err, span), nil
	case err != nil:
		return nil, nil, e.delegationFailed(ctx, call, err, span)
	}
	agent := cred.agent
	e.rec.add(ctx, trace.StatusSuccess, fmt.Sprintf("%s agent delegates %s", text.Capitalize(from.Category), strings.Join(scope, ", ")),
		trace.Delegation{Credential: delegatedCredential, DelegatorID: from.agent.ID(), DelegatorScope: from.agent.Scope(),
			DelegateID: agent.ID(), DelegatedScope: agent.Scope(), TokenPreview: preview(agent.AccessToken()),
			Chain: hops(agent.DelegationChain()), ExpiresIn: seconds(agent.ExpiresIn())}, span)
	return cred, nil, e.showClaims(ctx, cred, "delegated")
}

// delegationTTL returns the lifetime to request for a delegated token: what the
// delegator's token has left, so that the request is within any broker's limits.
func delegationTTL(left time.Duration) time.Duration {
	return max(left.Truncate(time.Second), time.Second)
}

func (e *encounter) delegationDenied(ctx context.Context, from, to *credential, call toolCall, err error, span trace.Span) *refusal {
	be := describeBrokerError(err)
	required, held := call.RequiredScopes(), from.agent.Scope()
	missing := agentwrit.MissingScopes(required, held)
	e.decided(ctx, from, call.Call, decisions.Decision{By: string(trace.RefusedByBroker), Held: held, Note: "delegation refused: " + be.reason})
	e.rec.add(ctx, trace.StatusDenied, "Delegation of "+strings.Join(required, ", ")+" denied by the broker", trace.DelegationDenied{
		Tool: call.Tool.Name, CallID: call.id, PatientID: call.Patient.String(),
		DelegatorID: from.agent.ID(), DelegatorScope: held, DelegateID: to.agent.ID(), RequestedScope: required,
		MissingScope: missing, RefusedBy: trace.RefusedByBroker, Reason: be.reason, ErrorCode: be.code, RequestID: be.requestID}, span)
	return &refusal{Error: "delegation_denied", RefusedBy: string(trace.RefusedByBroker),
		RequiredScope: required, HeldScope: held, MissingScope: missing,
		Message: "The broker refused to delegate what this call needs: " + be.reason}
}

// delegateUnknown logs a delegation to an agent that the broker does not know, such
// as one that it has forgotten in a restart. Nothing was denied, and the run can
// continue.
func (e *encounter) delegateUnknown(ctx context.Context, to *credential, call toolCall, err error, span trace.Span) *refusal {
	be := describeBrokerError(err)
	e.rec.add(ctx, trace.StatusError, fmt.Sprintf("Delegation failed: the broker does not know the %s agent", to), trace.AgentError{
		Credential: delegatedCredential, Scope: call.RequiredScopes(), Trigger: call.Tool.Name,
		Error: be.reason, ErrorCode: be.code, RequestID: be.requestID}, span)
	return &refusal{Error: "tool_failed", RequiredScope: call.RequiredScopes(),
		Message: fmt.Sprintf("%s was not called: the broker does not know the agent that it has to be delegated to (%s).", call.Tool.Name, be.reason)}
}

// delegationFailed logs a delegation that the broker neither made nor refused.
func (e *encounter) delegationFailed(ctx context.Context, call toolCall, err error, span trace.Span) error {
	if ctx.Err() != nil && !isBrokerError(err) {
		return err // the request was not sent
	}
	be := describeBrokerError(err)
	step := trace.AgentError{Credential: delegatedCredential, Scope: call.RequiredScopes(), Trigger: call.Tool.Name,
		Error: be.reason, ErrorCode: be.code, RequestID: be.requestID}
	if agentwrit.MayHaveIssued(err) {
		step.AnswerLost, step.ValidUntil = true, e.issuedUntil()
	}
	e.rec.add(ctx, trace.StatusError, "Delegation failed: "+be.reason, step, span)
	return e.brokerFailure(err)
}
