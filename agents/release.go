package agents

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
)

// releaseTokens ends every token of the run, delegated ones first: it renews the
// token, confirms that the old one is revoked, releases the new one and confirms
// that too. Where the broker did not acknowledge the end of a token, the operator
// revokes the whole task, if there is an operator.
//
// It continues when the run is cancelled, then without waiting for the presenter,
// and always returns: each call to the broker has a time limit, a short one after
// a call that the broker did not answer.
func (e *encounter) releaseTokens(ctx context.Context) error {
	var failed error
	r := releaser{encounter: e, ctx: ctx}
	for _, cred := range e.credentials.delegatedFirst() {
		// A panic about one token must not prevent the release of the next.
		err := e.recovered(ctx, func(context.Context) error { r.end(cred); return nil })
		if err != nil {
			failed = err
			r.open = append(r.open, cred)
		}
	}
	r.revokeRest()
	return failed
}

// releaser ends tokens one after the other.
type releaser struct {
	*encounter
	ctx         context.Context // the run's, which may be over; only the pace depends on it
	unreachable bool            // the broker did not answer the previous call
	open        []*credential   // whose end the broker has not confirmed
}

// tokenState is what is known about a token at the end of its run.
type tokenState int

const (
	stateLive    tokenState = iota
	stateRevoked            // the broker acknowledged a revocation, which is still to be confirmed
	stateExpired            // not accepted, and its lifetime is over
	stateUnknown            // anything else, including a refusal whose reason is not known
)

// end renews and releases one token and confirms that it is revoked.
func (r *releaser) end(cred *credential) {
	state := stateRevoked // the operator has released it
	if !cred.agent.Released() {
		state = r.renew(cred)
	}
	if state == stateLive {
		state = r.release(cred)
	}
	if state == stateExpired || state == stateRevoked && r.confirm(cred, cred.agent.AccessToken(), trace.TokenOfRelease) {
		return
	}
	r.open = append(r.open, cred)
}

// renew exchanges the token for a new one and confirms that the old one is revoked.
func (r *releaser) renew(cred *credential) tokenState {
	if r.unreachable || !r.expectRenewal(r.ctx, cred) {
		return stateLive // release it at once, if the broker answers again
	}
	r.pace.wait(r.ctx, fmt.Sprintf("renew the %s token", cred), true)
	old := cred.agent.AccessToken()
	done := r.rec.span(trace.LaneBroker, "renew")
	err := r.ask(cred.agent.Renew)
	span := done()
	if err == nil {
		cred.jti.Store("") // the new token has another ID, which is not known yet
		cred.saved.Store(false)
		r.changedToken(r.ctx, cred)
		r.rec.add(r.ctx, trace.StatusSuccess, tokenName(cred)+" renewed", trace.TokenRenewed{Credential: cred.Credential,
			AgentID: cred.agent.ID(), OldPreview: preview(old), NewPreview: preview(cred.agent.AccessToken()),
			NewExpiresIn: seconds(cred.agent.ExpiresIn())}, span)
		r.confirm(cred, old, trace.TokenOfRenewal)
		return stateLive
	}
	state, lost := stateLive, false
	switch {
	case errors.Is(err, agentwrit.ErrReleased):
		return stateRevoked // by the operator, at this moment
	case notAccepted(err):
		return r.notAccepted(cred, "renew", err, span)
	case !refusedByBroker(err):
		// The response did not arrive. If the old token is valid, it was not renewed.
		oldErr := r.validate(old)
		lost = oldErr != nil
		if errors.Is(oldErr, agentwrit.ErrTokenInvalid) {
			state = stateUnknown
		}
	}
	r.failed(cred, "renew", err, lost, span)
	return state
}

// release releases the token.
func (r *releaser) release(cred *credential) tokenState {
	r.pace.wait(r.ctx, fmt.Sprintf("release the %s token", cred), true)
	done := r.rec.span(trace.LaneBroker, "release")
	err := r.ask(cred.agent.Release)
	span := done()
	switch {
	case notAccepted(err):
		return r.notAccepted(cred, "release", err, span)
	case err != nil:
		r.failed(cred, "release", err, false, span)
		return stateUnknown
	}
	r.changedToken(r.ctx, cred)
	r.rec.add(r.ctx, trace.StatusSuccess, tokenName(cred)+" released", trace.TokenReleased{Credential: cred.Credential,
		AgentID: cred.agent.ID(), SPIFFEID: cred.agent.ID(), TaskID: cred.agent.TaskID()}, span)
	return stateRevoked
}

// notAccepted reports whether the broker refused a request because of its token.
func notAccepted(err error) bool {
	return errors.Is(err, agentwrit.ErrAuthentication) || errors.Is(err, agentwrit.ErrTokenInvalid)
}

// notAccepted logs that the broker does not accept a token and returns why, as far
// as it is known. A refusal alone does not prove a revocation: the broker also
// refuses a token that has expired or, with clocks that differ, one that is not
// valid yet.
func (r *releaser) notAccepted(cred *credential, stage string, err error, span trace.Span) tokenState {
	step := trace.ReleaseError{Credential: cred.Credential, AgentID: cred.agent.ID(), Stage: stage, Error: describeBrokerError(err).reason}
	switch {
	case cred.revoked.Load():
		r.rec.add(r.ctx, trace.StatusInfo, tokenName(cred)+" was revoked by the operator", step, span)
		return stateRevoked
	case errors.Is(err, agentwrit.ErrExpired):
		step.Expired = true
		r.rec.add(r.ctx, trace.StatusInfo, tokenName(cred)+" has expired", step, span)
		return stateExpired
	default:
		step.ValidUntil = cred.agent.ExpiresAt().Unix() + 1
		r.rec.add(r.ctx, trace.StatusWarning, tokenName(cred)+" not accepted; revocation not confirmed", step, span)
		return stateUnknown
	}
}

// revokeRest has the operator revoke the run's task if the broker has not
// confirmed the end of every token that it issued, or may have issued.
func (r *releaser) revokeRest() {
	if r.Operator == nil || len(r.open) == 0 && r.rec.lost() == 0 {
		return
	}
	r.pace.wait(r.ctx, "revoke the rest of the task's tokens", true)
	done := r.rec.span(trace.LaneBroker, "revoke")
	var response *agentwrit.RevokeResponse
	err := r.ask(func(ctx context.Context) (err error) {
		response, err = r.Operator.Revoke(ctx, agentwrit.RevokeTask, r.id)
		return err
	})
	span := done()
	if err != nil {
		for _, cred := range r.open {
			r.failed(cred, "revoke", err, false, span)
		}
		return
	}
	step := trace.TokenRevoked{Level: string(agentwrit.RevokeTask), Target: r.id, Count: response.Count, Credentials: []trace.Credential{}}
	for _, cred := range r.open {
		step.Credentials = append(step.Credentials, cred.Credential)
	}
	r.rec.add(r.ctx, trace.StatusWarning, "Operator revoked the whole task", step, span)
	for _, cred := range r.open {
		r.confirm(cred, cred.agent.AccessToken(), trace.TokenOfRelease)
	}
}

// confirm asks the broker whether a revoked token is still valid and logs the
// answer. It reports whether the broker refused the token.
func (r *releaser) confirm(cred *credential, token, which string) bool {
	r.pace.wait(r.ctx, fmt.Sprintf("confirm that the %s token is revoked", cred), true)
	done := r.rec.span(trace.LaneBroker, "validate")
	err := r.validate(token)
	span := done()
	step := trace.PostReleaseValidation{Credential: cred.Credential, AgentID: cred.agent.ID(), Token: which, Valid: err == nil}
	name := tokenName(cred)
	if which == trace.TokenOfRenewal {
		name = "Previous " + cred.String() + " token"
	}
	switch {
	case err == nil:
		r.rec.add(r.ctx, trace.StatusError, name+" is STILL VALID", step, span)
	case errors.Is(err, agentwrit.ErrTokenInvalid):
		step.Error = describeBrokerError(err).reason
		r.rec.add(r.ctx, trace.StatusSuccess, name+" confirmed revoked", step, span)
		return true
	default:
		r.failed(cred, "validate", err, false, span)
	}
	return false
}

func (r *releaser) failed(cred *credential, stage string, err error, lost bool, span trace.Span) {
	reason := describeBrokerError(err).reason
	step := trace.ReleaseError{Credential: cred.Credential, AgentID: cred.agent.ID(), Stage: stage, Error: reason,
		AnswerLost: lost, ValidUntil: cred.agent.ExpiresAt().Unix() + 1}
	if lost {
		step.ValidUntil = r.issuedUntil()
	}
	r.rec.add(r.ctx, trace.StatusError, fmt.Sprintf("%s: %s failed: %s", tokenName(cred), stage, reason), step, span)
}

func (r *releaser) validate(token string) error {
	return r.ask(func(ctx context.Context) error {
		_, err := r.Broker.Validate(ctx, token)
		return err
	})
}

// ask calls the broker within the time limit, a short one if the broker did not
// answer the previous call. It does not call it about a run of another replica, which
// ends the tokens now.
func (r *releaser) ask(f func(context.Context) error) error {
	if r.left.Load() {
		return ErrNotOwner
	}
	limit := r.Limits.Cleanup
	if r.unreachable {
		limit = min(limit, time.Second)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), limit)
	defer cancel()
	err := f(ctx)
	r.unreachable = err != nil && !refusedByBroker(err) && !errors.Is(err, agentwrit.ErrTokenInvalid)
	return err
}

func tokenName(cred *credential) string { return text.Capitalize(cred.String()) + " token" }
