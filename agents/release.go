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
// that too. It continues when the run is cancelled, then without waiting for the
// presenter, and always returns: each call to the broker has a time limit, a
// short one after a call that the broker did not answer.
func (e *encounter) releaseTokens(ctx context.Context) error {
	var failed error
	r := releaser{encounter: e, ctx: ctx}
	for _, cred := range e.credentials.delegatedFirst() {
		// A panic about one token must not prevent the release of the next.
		if err := e.recovered(ctx, func(context.Context) error { r.end(cred); return nil }); err != nil {
			failed = err
		}
	}
	return failed
}

// releaser ends tokens one after the other.
type releaser struct {
	*encounter
	ctx         context.Context // the run's, which may be over; only the pace depends on it
	unreachable bool            // the broker did not answer the previous call
}

// tokenState is what is known about a token at the end of its run.
type tokenState int

const (
	stateLive    tokenState = iota
	stateEnded              // the broker no longer accepts it, which is still to be confirmed
	stateUnknown            // nothing can be confirmed
)

// end renews and releases one token and confirms that it is revoked. Nothing can
// be confirmed about a token whose successor is unknown, or without an answer of
// the broker.
func (r *releaser) end(cred *credential) {
	state := r.renew(cred)
	if state == stateLive {
		state = r.release(cred)
	}
	if state == stateEnded {
		r.confirm(cred, cred.agent.AccessToken(), trace.TokenOfRelease)
	}
}

// renew exchanges the token for a new one and confirms that the old one is revoked.
func (r *releaser) renew(cred *credential) tokenState {
	if r.unreachable {
		return stateLive // release it at once, if the broker answers again
	}
	r.pace.wait(r.ctx, fmt.Sprintf("renew the %s token", cred), true)
	old := cred.agent.AccessToken()
	done := r.rec.span(trace.LaneBroker, "renew")
	err := r.ask(cred.agent.Renew)
	span := done()
	if err == nil {
		cred.jti.Store("") // the new token has another ID, which is not known yet
		r.rec.add(r.ctx, trace.StatusSuccess, tokenName(cred)+" renewed", trace.TokenRenewed{Credential: cred.Credential,
			AgentID: cred.agent.ID(), OldPreview: preview(old), NewPreview: preview(cred.agent.AccessToken()),
			NewExpiresIn: seconds(cred.agent.ExpiresIn())}, span)
		r.confirm(cred, old, trace.TokenOfRenewal)
		return stateLive
	}
	state, lost := stateLive, false
	switch {
	case errors.Is(err, agentwrit.ErrAuthentication):
		// Revoked or expired: not a failure, but still to be confirmed.
		r.rec.add(r.ctx, trace.StatusInfo, tokenName(cred)+" can't be renewed: no longer accepted",
			trace.ReleaseError{Credential: cred.Credential, AgentID: cred.agent.ID(), Stage: "renew", Error: describeBrokerError(err).reason}, span)
		return stateEnded
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

// release releases the token. If the response does not arrive, the broker may
// have released it nevertheless, so the token is validated.
func (r *releaser) release(cred *credential) tokenState {
	r.pace.wait(r.ctx, fmt.Sprintf("release the %s token", cred), true)
	done := r.rec.span(trace.LaneBroker, "release")
	err := r.ask(cred.agent.Release)
	span := done()
	if err != nil {
		r.failed(cred, "release", err, false, span)
		if errors.Is(r.validate(cred.agent.AccessToken()), agentwrit.ErrTokenInvalid) {
			return stateEnded
		}
		return stateUnknown
	}
	r.rec.add(r.ctx, trace.StatusSuccess, tokenName(cred)+" released", trace.TokenReleased{Credential: cred.Credential,
		AgentID: cred.agent.ID(), SPIFFEID: cred.agent.ID(), TaskID: cred.agent.TaskID()}, span)
	return stateEnded
}

// confirm asks the broker whether a token is still valid and logs the answer.
func (r *releaser) confirm(cred *credential, token, which string) {
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
	default:
		r.failed(cred, "validate", err, false, span)
	}
}

func (r *releaser) failed(cred *credential, stage string, err error, lost bool, span trace.Span) {
	reason := describeBrokerError(err).reason
	r.rec.add(r.ctx, trace.StatusError, fmt.Sprintf("%s: %s failed: %s", tokenName(cred), stage, reason),
		trace.ReleaseError{Credential: cred.Credential, AgentID: cred.agent.ID(), Stage: stage, Error: reason, AnswerLost: lost}, span)
}

func (r *releaser) validate(token string) error {
	return r.ask(func(ctx context.Context) error {
		_, err := r.Broker.Validate(ctx, token)
		return err
	})
}

// ask calls the broker within the time limit, a short one if the broker did not
// answer the previous call.
func (r *releaser) ask(f func(context.Context) error) error {
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
