package agents

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/trace"
)

// release ends every token of the run, delegated ones first: it is renewed, the
// old one proven dead, released, and proven dead. It goes on when the run is
// cancelled, then without waiting for anyone, and always comes to an end: each
// call of the broker has its limit, and a short one once the broker has failed
// to answer.
func (e *encounter) release(ctx context.Context) error {
	var failed error
	p := parting{encounter: e, ctx: ctx}
	for _, cred := range e.crew.delegatedFirst() {
		// One token's panic must not keep the next one alive.
		if err := e.recovered(ctx, func(context.Context) error { p.end(cred); return nil }); err != nil {
			failed = err
		}
	}
	return failed
}

// parting ends tokens, one after the other.
type parting struct {
	*encounter
	ctx  context.Context // the run's, which may be over; only waiting heeds it
	away bool            // the broker did not answer the last time
}

// end takes one token to its proven death. Nothing can be proven of one whose
// successor is not known, nor by a broker that does not answer.
func (p *parting) end(cred *credential) {
	state := p.renew(cred)
	if state == alive {
		state = p.giveBack(cred)
	}
	if state == dead {
		p.prove(cred, cred.agent.AccessToken(), trace.TokenOfRelease)
	}
}

// fate is what became of a token.
type fate int

const (
	alive   fate = iota
	dead         // which is still to be proven
	unknown      // nobody can say
)

// renew replaces the token by its successor and proves the old one dead.
func (p *parting) renew(cred *credential) fate {
	if p.away {
		return alive // to be given back at once, if the broker answers again
	}
	p.pace.wait(p.ctx, fmt.Sprintf("renew the %s token", cred), true)
	old := cred.agent.AccessToken()
	done := p.rec.span(trace.LaneBroker, "renew")
	err := p.ask(cred.agent.Renew)
	span := done()
	if err == nil {
		cred.jti.Store("") // the successor has another, which nobody has asked for
		p.rec.add(p.ctx, trace.StatusSuccess, capital(cred.String())+" token renewed", trace.TokenRenewed{Credential: cred.Credential,
			AgentID: cred.agent.ID(), OldPreview: preview(old), NewPreview: preview(cred.agent.AccessToken()),
			NewExpiresIn: seconds(cred.agent.ExpiresIn())}, span)
		p.prove(cred, old, trace.TokenOfRenewal)
		return alive
	}
	state, lost := alive, false
	switch {
	case errors.Is(err, agentwrit.ErrAuthentication):
		// Revoked, or past its time: that is no failure, but still to be proven.
		words, _, _ := brokerWords(err)
		p.rec.add(p.ctx, trace.StatusInfo, capital(cred.String())+" token is dead already, so it can't be renewed",
			trace.ReleaseError{Credential: cred.Credential, AgentID: cred.agent.ID(), Stage: "renew", Error: words}, span)
		return dead
	case !refusedByBroker(err):
		// The answer did not come. If the old token lives, it was not replaced.
		oldErr := p.validate(old)
		lost = oldErr != nil
		if errors.Is(oldErr, agentwrit.ErrTokenInvalid) {
			state = unknown
		}
	}
	p.failed(cred, "renew", err, lost, span)
	return state
}

// giveBack releases the token. When that gets no answer it may have been done
// all the same, which the broker is asked.
func (p *parting) giveBack(cred *credential) fate {
	p.pace.wait(p.ctx, fmt.Sprintf("release the %s token", cred), true)
	done := p.rec.span(trace.LaneBroker, "release")
	err := p.ask(cred.agent.Release)
	span := done()
	if err != nil {
		p.failed(cred, "release", err, false, span)
		if errors.Is(p.validate(cred.agent.AccessToken()), agentwrit.ErrTokenInvalid) {
			return dead
		}
		return unknown
	}
	p.rec.add(p.ctx, trace.StatusSuccess, capital(cred.String())+" token released", trace.TokenReleased{Credential: cred.Credential,
		AgentID: cred.agent.ID(), SPIFFEID: cred.agent.ID(), TaskID: cred.agent.TaskID()}, span)
	return dead
}

// prove asks the broker whether a token is dead.
func (p *parting) prove(cred *credential, token, which string) {
	p.pace.wait(p.ctx, fmt.Sprintf("prove the %s token dead", cred), true)
	done := p.rec.span(trace.LaneBroker, "validate")
	err := p.validate(token)
	span := done()
	step := trace.PostReleaseValidation{Credential: cred.Credential, AgentID: cred.agent.ID(), Token: which, Valid: err == nil}
	name := capital(cred.String()) + " token"
	if which == trace.TokenOfRenewal {
		name = "Old " + cred.String() + " token"
	}
	switch {
	case err == nil:
		p.rec.add(p.ctx, trace.StatusError, name+" is STILL VALID", step, span)
	case errors.Is(err, agentwrit.ErrTokenInvalid):
		step.Error, _, _ = brokerWords(err)
		p.rec.add(p.ctx, trace.StatusSuccess, name+" is dead: the broker says so", step, span)
	default:
		p.failed(cred, "validate", err, false, span)
	}
}

func (p *parting) failed(cred *credential, stage string, err error, lost bool, span trace.Span) {
	words, _, _ := brokerWords(err)
	p.rec.add(p.ctx, trace.StatusError, fmt.Sprintf("%s token: %s failed: %s", capital(cred.String()), stage, words),
		trace.ReleaseError{Credential: cred.Credential, AgentID: cred.agent.ID(), Stage: stage, Error: words, AnswerLost: lost}, span)
}

func (p *parting) validate(token string) error {
	return p.ask(func(ctx context.Context) error {
		_, err := p.Broker.Validate(ctx, token)
		return err
	})
}

// ask calls the broker within the limit, a short one if it did not answer the
// last time.
func (p *parting) ask(f func(context.Context) error) error {
	limit := p.Limits.Cleanup
	if p.away {
		limit = min(limit, time.Second)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), limit)
	defer cancel()
	err := f(ctx)
	p.away = err != nil && !refusedByBroker(err) && !errors.Is(err, agentwrit.ErrTokenInvalid)
	return err
}
