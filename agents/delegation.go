package agents

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// lent is the one delegated credential that a run can have.
var lent = trace.Credential{Category: string(tools.Prescription), Delegated: true}

// credentialFor returns the credential that a call is made with. For most it is
// the agent of the tool's category. What the clinical agent must hand on first
// is handed on here.
func (e *encounter) credentialFor(ctx context.Context, n need) (*credential, *refusal, error) {
	holder, refused, err := e.agent(ctx, n.Tool.Category, n)
	if err != nil || refused != nil || !n.Tool.Delegated() {
		return holder, refused, err
	}
	if have := e.crew.find(lent); have != nil && agentwrit.ScopeIsSubset(n.RequiredScopes(), have.agent.Scope()) {
		return have, nil, nil
	}
	clinical, refused, err := e.agent(ctx, tools.Clinical, n)
	if err != nil || refused != nil {
		return nil, refused, err
	}
	return e.delegate(ctx, clinical, holder, n)
}

// delegate asks the broker to hand exactly what the call requires from one
// agent to the other. It does not look first whether the delegator holds it:
// that is the broker's to decide, and a prescription for another patient shows
// how it does.
func (e *encounter) delegate(ctx context.Context, from, to *credential, n need) (*credential, *refusal, error) {
	scope := n.RequiredScopes()
	e.pace.wait(ctx, "delegate "+strings.Join(scope, ", "), true)
	done := e.rec.span(trace.LaneBroker, "delegate")
	agent, err := issue(ctx, e, func(ctx context.Context) (*agentwrit.Agent, error) {
		// No longer than the delegator's own life, whatever the broker allows.
		ttl := max(from.agent.ExpiresIn().Truncate(time.Second), time.Second)
		return from.agent.Delegate(ctx, to.agent.ID(), scope, ttl)
	})
	span := done()
	switch {
	case err != nil && refusedByBroker(err):
		return nil, e.delegationDenied(ctx, from, to, n, err, span), nil
	case err != nil:
		return nil, nil, e.delegationFailed(ctx, n, err, span)
	}
	cred := &credential{Credential: lent, agent: agent}
	e.crew.add(cred)
	e.rec.add(ctx, trace.StatusSuccess, fmt.Sprintf("%s agent delegates %s", capital(from.Category), strings.Join(scope, ", ")),
		trace.Delegation{Credential: lent, DelegatorID: from.agent.ID(), DelegatorScope: from.agent.Scope(),
			DelegateID: agent.ID(), DelegatedScope: agent.Scope(), TokenPreview: preview(agent.AccessToken()),
			Chain: hops(agent.DelegationChain()), ExpiresIn: seconds(agent.ExpiresIn())}, span)
	return cred, nil, e.showClaims(ctx, cred, "delegated")
}

func (e *encounter) delegationDenied(ctx context.Context, from, to *credential, n need, err error, span trace.Span) *refusal {
	words, code, requestID := brokerWords(err)
	required, held := n.RequiredScopes(), from.agent.Scope()
	missing := agentwrit.MissingScopes(required, held)
	e.rec.add(ctx, trace.StatusDenied, "Broker refused to delegate "+strings.Join(required, ", "), trace.DelegationDenied{
		Tool: n.Tool.Name, CallID: n.callID, PatientID: n.Patient.String(),
		DelegatorID: from.agent.ID(), DelegatorScope: held, DelegateID: to.agent.ID(), RequestedScope: required,
		MissingScope: missing, RefusedBy: trace.RefusedByBroker, Reason: words, ErrorCode: code, RequestID: requestID}, span)
	return &refusal{Error: "delegation_denied", RefusedBy: string(trace.RefusedByBroker),
		RequiredScope: required, HeldScope: held, MissingScope: missing,
		Message: "The broker refused to delegate what this call needs: " + words}
}

// delegationFailed is a delegation that got no answer.
func (e *encounter) delegationFailed(ctx context.Context, n need, err error, span trace.Span) error {
	if ctx.Err() != nil && !isBrokerError(err) {
		return err // it was not tried
	}
	words, code, requestID := brokerWords(err)
	e.rec.add(ctx, trace.StatusError, "The delegation failed: "+words, trace.AgentError{Credential: lent, Scope: n.RequiredScopes(),
		Trigger: n.Tool.Name, Error: words, ErrorCode: code, RequestID: requestID, AnswerLost: agentwrit.MayHaveIssued(err)}, span)
	return e.brokerFailure(err)
}
