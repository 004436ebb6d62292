package agents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// stolenToken is an attacker's copy of a token, and the call that the token was
// used for when it was copied.
type stolenToken struct {
	from  *credential
	token string
	id    string // "jti"
	call  tools.Call
}

// String returns a description without the token.
func (s *stolenToken) String() string { return "stolen token " + preview(s.token) }

// LogValue returns a description without the token.
func (s *stolenToken) LogValue() slog.Value { return slog.StringValue(s.String()) }

// triggerIncident starts the run's incident, once, after the first read.
func (e *encounter) triggerIncident(ctx context.Context, cred *credential, call toolCall) error {
	if e.incidentDone || e.req.Incident == "" || call.Tool.Writes() {
		return nil
	}
	e.incidentDone = true
	switch e.req.Incident {
	case trace.IncidentRevocation:
		return e.revokeAgent(ctx, cred)
	case trace.IncidentExpiry:
		e.waitForExpiry(ctx, cred)
	case trace.IncidentTheft:
		e.stealToken(ctx, cred, call)
	}
	return nil
}

// revokeAgent revokes the agent as the operator does on the operator's page.
func (e *encounter) revokeAgent(ctx context.Context, cred *credential) error {
	e.pace.wait(ctx, fmt.Sprintf("revoke the %s agent", cred), true)
	limited, cancel := context.WithTimeout(ctx, e.Limits.BrokerCall)
	defer cancel()
	if _, err := e.service.Revoke(limited, Revocation{Level: wire.RevokeAgent, Target: cred.agent.ID()}); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return e.brokerFailure(err)
	}
	return nil
}

// Times of an expiry.
const (
	expiryMargin = 300 * time.Millisecond // added to the wait, for clocks that round
	expiryPoll   = 200 * time.Millisecond // between questions to a broker that still accepts the token
	maxOverdue   = 3 * time.Second        // after the token's expiry
)

// waitForExpiry waits until the broker no longer accepts the token, which is not
// renewed. Some brokers accept a token during the second of its expiry.
func (e *encounter) waitForExpiry(ctx context.Context, cred *credential) {
	left := cred.agent.ExpiresAt().Sub(e.Clock())
	e.rec.add(ctx, trace.StatusInfo, fmt.Sprintf("%s not renewed: expires in %d s", tokenName(cred), seconds(left)),
		trace.Incident{Credential: cred.Credential, Kind: trace.IncidentExpiry})
	e.pace.sleep(ctx, left+expiryMargin, nil)
	for deadline := e.Clock().Add(maxOverdue); ctx.Err() == nil && e.Clock().Before(deadline); {
		if _, err := e.claimsOf(ctx, cred); err != nil {
			return
		}
		e.pace.sleep(ctx, expiryPoll, nil)
	}
}

// chartReads are the reads that need nothing but a patient.
var chartReads = []string{"get_patient_records", "get_billing_history"}

// stealUnread starts a theft that has not begun because no read was allowed: the
// attacker copies the token of the first agent that can read a chart or a bill.
func (e *encounter) stealUnread(ctx context.Context) error {
	if e.incidentDone || e.req.Incident != trace.IncidentTheft || ctx.Err() != nil {
		return nil
	}
	for _, name := range chartReads {
		call, err := tools.Parse(name, aboutPatient(e.req.Patient))
		if err != nil {
			return err
		}
		if cred := e.credentials.find(trace.Credential{Category: string(call.Tool.Category)}); cred != nil {
			return e.triggerIncident(ctx, cred, toolCall{Call: call})
		}
	}
	return nil
}

// aboutPatient returns the arguments of a call that names a patient and nothing else.
func aboutPatient(id patient.ID) string { return fmt.Sprintf(`{"patient_id":%q}`, id) }

// stealToken copies the token and uses it: for the token's own patient, which
// works because it is a bearer token, and for another patient.
func (e *encounter) stealToken(ctx context.Context, cred *credential, call toolCall) {
	e.pace.wait(ctx, fmt.Sprintf("steal the %s token", cred), true)
	s := &stolenToken{cred, cred.agent.AccessToken(), cred.tokenID(), call.Call}
	e.rec.add(ctx, trace.StatusWarning, fmt.Sprintf("Attacker copies the %s token (not the private key)", cred),
		trace.Incident{Credential: cred.Credential, Kind: trace.IncidentTheft})
	e.useStolenToken(ctx, s, call.Call)
	targets := e.req.Targets
	if targets == nil {
		targets = []patient.ID{otherPatient(call.Patient)}
	}
	for _, id := range targets {
		if parsed, err := tools.Parse(call.Tool.Name, aboutPatient(id)); err == nil {
			e.useStolenToken(ctx, s, parsed)
		}
	}
	e.stolen.Store(s)
	if e.req.Hold {
		e.pace.hold(ctx, "release the token")
	}
}

// otherPatient returns a patient that the run is not about.
func otherPatient(id patient.ID) patient.ID {
	if id.String() == "P-2187" {
		return patient.MustParseID("P-1042")
	}
	return patient.MustParseID("P-2187")
}

// retryStolenToken has the attacker use the stolen token again after its release.
func (e *encounter) retryStolenToken(ctx context.Context) error {
	if s := e.stolen.Load(); s != nil {
		e.useStolenToken(context.WithoutCancel(ctx), s, s.call)
	}
	return nil
}

// useStolenToken makes a call with the stolen token. The gate is part of this
// program, so an attacker bypasses it and calls the records API directly.
func (e *encounter) useStolenToken(ctx context.Context, s *stolenToken, call tools.Call) {
	e.pace.wait(ctx, "try the stolen token", false)
	limited, cancel := context.WithTimeout(ctx, e.Limits.ToolCall)
	defer cancel()
	done := e.rec.span(trace.LaneRecords, "stolen token")
	_, err := e.Tools.Do(limited, call, s.token)
	span := done()
	step := trace.StolenTokenUsed{Credential: s.from.Credential, Tool: call.Tool.Name, PatientID: call.Patient.String(),
		TokenPreview: preview(s.token), Authorized: err == nil, RequiredScope: call.RequiredScopes()}
	var refused *tools.Refused
	decision := decisions.Decision{By: string(trace.RefusedByRecords), Allowed: err == nil, TokenID: s.id, Note: "stolen token, used past the gate"}
	if errors.As(err, &refused) {
		decision.Held = refused.Held
	}
	if err == nil || refused != nil {
		e.decided(ctx, s.from, call, decision)
	}
	switch {
	case err == nil:
		e.rec.add(ctx, trace.StatusWarning, fmt.Sprintf("Stolen token accepted for %s (still valid)", call.Patient), step, span)
	case refused != nil:
		step.RefusedBy, step.Reason = trace.RefusedByRecords, refused.Detail
		step.HeldScope, step.MissingScope = refused.Held, refused.Missing
		e.rec.add(ctx, trace.StatusDenied, fmt.Sprintf("Stolen token denied for %s by the records API", call.Patient), step, span)
	default:
		step.Reason = e.callReason(ctx, limited, toolCall{Call: call}, err)
		e.rec.add(ctx, trace.StatusError, fmt.Sprintf("Stolen token for %s: %s", call.Patient, step.Reason), step, span)
	}
}
