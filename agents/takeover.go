package agents

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// takeOver ends the runs of replicas that are gone, and stops here what another
// replica has taken over, until ctx ends.
func (s *Service) takeOver(ctx context.Context) {
	tick := time.NewTicker(claimEvery)
	defer tick.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := errors.Join(s.leaveLost(ctx), s.claim(ctx))
		if err != nil && !failing && ctx.Err() == nil {
			s.cfg.Logger.ErrorContext(ctx, "runs of replicas that are gone can't be looked for", slog.Any("error", err))
		}
		failing = err != nil
	}
}

// leaveLost stops the runs that another replica has taken over. A run that waits logs
// no step and would not notice.
func (s *Service) leaveLost(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	own := make(map[string]*encounter)
	var ids []string
	for _, e := range s.encounters() {
		own[e.id] = e
		ids = append(ids, e.id)
	}
	if len(ids) == 0 {
		return nil
	}
	lost, err := s.cfg.Cluster.Lost(ctx, ids)
	for _, id := range lost {
		own[id].leave()
	}
	return err
}

// claim takes over the runs whose replica is gone.
func (s *Service) claim(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	runs, err := s.cfg.Cluster.Claim(ctx)
	for _, run := range runs {
		s.cfg.Logger.WarnContext(ctx, "ending a run of a replica that is gone", slog.String("run", run.ID))
		s.succeed(run)
	}
	return err
}

// succeed ends a run of a replica that is gone, in the background.
func (s *Service) succeed(run trace.Run) {
	id, _ := patient.ParseID(run.PatientID) // it was parsed when the run was started
	ctx, cancel := context.WithCancelCause(context.Background())
	e := s.newEncounter(run, Request{Patient: id, Text: run.Request}, cancel)
	s.mu.Lock()
	before := s.live[run.ID]
	s.live[run.ID] = e
	s.mu.Unlock()
	go s.see(e, func() trace.Outcome {
		if before != nil { // this replica was gone itself, and another one in between
			before.leave()
			<-before.done
		}
		s.others.ending <- struct{}{}
		defer func() { <-s.others.ending }()
		return e.endAbandoned(ctx)
	})
}

// endAbandoned ends the tokens of a run whose replica is gone, and then the run. It
// is not continued, because the model's state is lost.
func (e *encounter) endAbandoned(ctx context.Context) trace.Outcome {
	outcome := trace.OutcomeInterrupted
	events, tokens, err := e.abandoned(ctx)
	if err != nil {
		e.leave() // the next replica that claims it ends it
		return outcome
	}
	e.rec.restore(events)
	e.rec.add(ctx, trace.StatusError, "The replica that ran this is gone; another one ends the run", trace.RunError{Stage: "internal",
		Message: "The replica that ran this ended or lost its connection.", Hint: "Start it again: what the model knew is lost."})
	adopt := func(ctx context.Context) error {
		known := knownFrom(events)
		for _, t := range tokens {
			e.adopt(ctx, t, known)
		}
		return nil
	}
	for _, step := range []func(context.Context) error{adopt, e.releaseTokens} {
		if err := e.recovered(ctx, step); err != nil {
			e.logFailure(ctx, err)
		}
	}
	if e.left.Load() {
		e.releaseUnsaved(ctx)
		return outcome
	}
	return e.complete(ctx, outcome)
}

// abandoned reads what the other replica has left of a run. Without that, nothing can
// be said about its tokens: it tries again until it succeeds, also if the run is
// cancelled. It gives up when the service stops or yet another replica owns the run.
func (e *encounter) abandoned(ctx context.Context) (events []trace.Event, tokens []SavedToken, err error) {
	for failing := false; ; failing = true {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		events, err = e.Log.Events(limited, e.id, 0)
		if err == nil {
			tokens, err = e.Cluster.Tokens(limited, e.id)
		}
		cancel()
		if err == nil || e.left.Load() || e.service.isStopping() {
			return events, tokens, err
		}
		if !failing {
			e.Logger.ErrorContext(ctx, "what another replica has left of a run can't be read", slog.String("run", e.id), slog.Any("error", err))
		}
		e.pace.sleep(context.WithoutCancel(ctx), saveRetry, nil)
	}
}

// known is what a trace shows of its credentials.
type known struct {
	issued  map[trace.Credential]bool
	lost    map[trace.Credential]bool // a response that may have carried it
	revoked map[trace.Credential]bool // confirmed
}

func knownFrom(events []trace.Event) known {
	k := known{map[trace.Credential]bool{}, map[trace.Credential]bool{}, map[trace.Credential]bool{}}
	for _, event := range events {
		switch step := event.Step.(type) {
		case trace.AgentCreated:
			k.issued[step.Credential] = true
		case trace.Delegation:
			k.issued[step.Credential] = true
		case trace.AgentError:
			k.lost[step.Credential] = k.lost[step.Credential] || step.AnswerLost
		case trace.ReleaseError:
			k.lost[step.Credential] = k.lost[step.Credential] || step.AnswerLost
		case trace.PostReleaseValidation:
			k.revoked[step.Credential] = step.Token == trace.TokenOfRelease && !step.Valid
		default: // not about the end of a token
		}
	}
	return k
}

// adopt takes over a saved token, to be released with the others. The trace shows
// what is known of one that can't be taken over.
func (e *encounter) adopt(ctx context.Context, t SavedToken, k known) {
	cred := &credential{Credential: t.Credential}
	switch {
	case t.Secret == "":
		if t.Unstable && !k.lost[t.Credential] {
			e.rec.add(ctx, trace.StatusError, tokenName(cred)+" requested, but the broker's response is lost", trace.AgentError{
				Credential: t.Credential, Error: lostWithReplica, AnswerLost: true, ValidUntil: t.Expires.Unix()})
		}
		return
	case k.revoked[t.Credential]:
		return
	case !k.issued[t.Credential]:
		e.logIssued(ctx, t)
	}
	done := e.rec.span(trace.LaneBroker, "validate")
	agent, err := e.resume(ctx, t.Secret)
	if err != nil {
		e.logNotResumed(ctx, t, k, err, done())
		return
	}
	cred.agent = agent
	cred.jti.Store(claimedID(t.Secret))
	cred.saved.Store(true)
	e.credentials.add(cred)
}

// lostWithReplica is why it is not known what a broker has issued.
const lostWithReplica = "the replica ended before it saved the broker's response"

// logNotResumed logs the state of a token that could not be taken over: the broker
// does not accept it any more, or did not answer.
func (e *encounter) logNotResumed(ctx context.Context, t SavedToken, k known, err error, span trace.Span) {
	cred := &credential{Credential: t.Credential}
	reason := describeBrokerError(err).reason
	failed := trace.ReleaseError{Credential: t.Credential, AgentID: t.AgentID, Stage: "validate", Error: reason}
	if !errors.Is(err, agentwrit.ErrTokenInvalid) {
		failed.ValidUntil = t.Expires.Unix() + 1
		e.rec.add(ctx, trace.StatusError, tokenName(cred)+": "+reason, failed, span)
		return
	}
	if t.Unstable && !k.lost[t.Credential] {
		e.rec.add(ctx, trace.StatusError, tokenName(cred)+" renewed, but the broker's response is lost", trace.ReleaseError{
			Credential: t.Credential, AgentID: t.AgentID, Stage: "renew", Error: lostWithReplica, AnswerLost: true, ValidUntil: e.issuedUntil()})
	}
	if errors.Is(err, agentwrit.ErrExpired) {
		failed.Expired = true
		e.rec.add(ctx, trace.StatusInfo, tokenName(cred)+" has expired", failed, span)
		return
	}
	e.rec.add(ctx, trace.StatusSuccess, tokenName(cred)+" confirmed revoked", trace.PostReleaseValidation{
		Credential: t.Credential, AgentID: t.AgentID, Token: trace.TokenOfRelease, Error: reason}, span)
}

// logIssued logs that a token was issued whose step the other replica did not store.
func (e *encounter) logIssued(ctx context.Context, t SavedToken) {
	left := seconds(t.Expires.Sub(e.Clock()))
	if !t.Delegated {
		e.rec.add(ctx, trace.StatusSuccess, text.Capitalize(t.Category)+" agent created", trace.AgentCreated{Credential: t.Credential,
			AgentID: t.AgentID, SPIFFEID: t.AgentID, Scope: t.Scope, Tools: tools.Category(t.Category).Names(), TaskID: t.TaskID,
			OrchID: e.OrchID, ExpiresIn: left, TokenPreview: preview(t.Secret)})
		return
	}
	step := trace.Delegation{Credential: t.Credential, DelegateID: t.AgentID, DelegatedScope: t.Scope, TokenPreview: preview(t.Secret), ExpiresIn: left}
	for _, delegator := range t.Delegators {
		step.DelegatorID = delegator
		step.Chain = append(step.Chain, trace.Hop{Agent: delegator})
	}
	e.rec.add(ctx, trace.StatusSuccess, "Delegated "+t.Category+" token issued", step)
}

// resume returns the agent of a token. It waits for a broker that does not answer.
func (e *encounter) resume(ctx context.Context, token string) (*agentwrit.Agent, error) {
	for deadline := time.Now().Add(e.Limits.RateLimit); ; {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.Limits.Cleanup)
		agent, err := e.Broker.Resume(limited, token)
		cancel()
		if err == nil || errors.Is(err, agentwrit.ErrTokenInvalid) || refusedByBroker(err) ||
			ctx.Err() != nil || e.left.Load() || time.Now().After(deadline) {
			return agent, err
		}
		e.pace.sleep(ctx, saveRetry, nil)
	}
}
