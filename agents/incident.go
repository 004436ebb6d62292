package agents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// loot is a copy of a token in a thief's hands, and the call that it was used
// for when it was copied.
type loot struct {
	from  *credential
	token string
	call  tools.Call
}

// String never says the token.
func (l *loot) String() string { return "stolen token " + preview(l.token) }

// LogValue likewise.
func (l *loot) LogValue() slog.Value { return slog.StringValue(l.String()) }

// befall lets the run's incident happen, once, after its first read.
func (e *encounter) befall(ctx context.Context, cred *credential, n need) error {
	if e.befallen || e.req.Incident == "" || n.Tool.Writes() {
		return nil
	}
	e.befallen = true
	switch e.req.Incident {
	case trace.IncidentRevocation:
		return e.revoke(ctx, cred)
	case trace.IncidentExpiry:
		e.outlive(ctx, cred)
	case trace.IncidentTheft:
		e.steal(ctx, cred, n)
	}
	return nil
}

// revoke is the kill switch: the operator revokes the agent, as from the
// operator's page.
func (e *encounter) revoke(ctx context.Context, cred *credential) error {
	e.pace.wait(ctx, fmt.Sprintf("revoke the %s agent", cred), true)
	limited, cancel := context.WithTimeout(ctx, e.Limits.BrokerCall)
	defer cancel()
	if _, err := e.service.Revoke(limited, wire.RevokeAgent, cred.agent.ID()); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return e.brokerFailure(err)
	}
	return nil
}

// expiryMargin is how much longer than a token's life is waited, for clocks
// that round.
const expiryMargin = 300 * time.Millisecond

// outlive lets the token's time run out. Nobody ends it, and nobody renews it.
func (e *encounter) outlive(ctx context.Context, cred *credential) {
	left := cred.agent.ExpiresAt().Sub(e.Clock())
	e.rec.add(ctx, trace.StatusInfo, fmt.Sprintf("Nobody renews the %s token: it has %d s to live", cred, seconds(left)),
		trace.Incident{Credential: cred.Credential, Kind: trace.IncidentExpiry})
	e.pace.sleep(ctx, left+expiryMargin, nil)
}

// steal copies the token and uses it: for the patient that it is for, which
// works, since it is a bearer token, and for another one.
func (e *encounter) steal(ctx context.Context, cred *credential, n need) {
	e.pace.wait(ctx, fmt.Sprintf("steal the %s token", cred), true)
	l := &loot{cred, cred.agent.AccessToken(), n.Call}
	e.rec.add(ctx, trace.StatusWarning, fmt.Sprintf("Somebody copies the %s token, but not its agent's key", cred),
		trace.Incident{Credential: cred.Credential, Kind: trace.IncidentTheft})
	e.use(ctx, l, n.Call)
	other := otherPatient(n.Patient)
	if call, err := tools.Parse(n.Tool.Name, fmt.Sprintf(`{"patient_id":%q}`, other)); err == nil {
		e.use(ctx, l, call)
	}
	e.loot.Store(l)
	if e.req.Hold {
		e.pace.hold(ctx, "go on, and end the stolen token")
	}
}

// otherPatient is one that the run is not about.
func otherPatient(id patient.ID) string {
	if id.String() == "P-2187" {
		return "P-1042"
	}
	return "P-2187"
}

// tryLoot has the thief come back when all is over.
func (e *encounter) tryLoot(ctx context.Context) error {
	if l := e.loot.Load(); l != nil {
		e.use(context.WithoutCancel(ctx), l, l.call)
	}
	return nil
}

// use makes a call with a stolen token. The gate is ours, so a thief goes past
// it; the records API is not.
func (e *encounter) use(ctx context.Context, l *loot, call tools.Call) {
	e.pace.wait(ctx, "try the stolen token", false)
	limited, cancel := context.WithTimeout(ctx, e.Limits.ToolCall)
	defer cancel()
	done := e.rec.span(trace.LaneRecords, "stolen token")
	_, err := e.Tools.Do(limited, call, l.token)
	span := done()
	step := trace.StolenTokenUsed{Credential: l.from.Credential, Tool: call.Tool.Name, PatientID: call.Patient.String(),
		TokenPreview: preview(l.token), Authorized: err == nil, RequiredScope: call.RequiredScopes()}
	thief := fmt.Sprintf("stolen token for %s of %s", call.Tool.Name, call.Patient)
	var refused *tools.Refused
	switch {
	case err == nil:
		e.rec.add(ctx, trace.StatusWarning, "The "+thief+": works, while the token lives", step, span)
	case errors.As(err, &refused):
		step.RefusedBy, step.Reason = trace.RefusedByRecords, refused.Detail
		step.HeldScope, step.MissingScope = refused.Held, refused.Missing
		e.rec.add(ctx, trace.StatusDenied, "Records API refused the "+thief, step, span)
	default:
		step.Reason = e.callWords(ctx, limited, need{Call: call}, err)
		e.rec.add(ctx, trace.StatusError, "The "+thief+": "+step.Reason, step, span)
	}
}
