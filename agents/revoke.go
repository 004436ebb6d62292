package agents

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/trace"
)

// A Revocation is what an operator asks for.
type Revocation struct {
	Level  agentwrit.RevokeLevel
	Target string
	// Delegated ends what was delegated from the revoked tokens too. Where the
	// broker leaves it valid, the service revokes it token by token.
	Delegated bool
}

// Revoked is the result of a [Revocation].
type Revoked struct {
	agentwrit.RevokeResponse         // the broker's
	Ended                    []Token // the broker no longer accepts them
	StillValid               []Token // delegated from them, and still accepted
	Unconfirmed              []Token // the broker did not answer about them
}

// Revoke revokes credentials at the broker, asks it which of the affected tokens
// it no longer accepts, and shows that in the trace of each live run that holds
// one. Without the admin secret the service can still release the tokens of its
// own live runs; Revoke fails with ErrNoOperator if none of them is named. It also
// fails with the broker's errors.
func (s *Service) Revoke(ctx context.Context, r Revocation) (*Revoked, error) {
	_ = s.refresh(ctx) // without it, tokens of other replicas may not be named; the broker revokes them all the same
	named, delegated := s.Affected(r.Level, r.Target)
	result := &Revoked{RevokeResponse: agentwrit.RevokeResponse{Revoked: true, Level: r.Level, Target: r.Target}}
	if s.cfg.Operator == nil {
		if len(named) == 0 {
			return nil, ErrNoOperator
		}
		for _, t := range named {
			if _, err := s.command(ctx, t.RunID, command{Kind: commandEnd, End: t.Credential}); err != nil && !errors.Is(err, ErrNotLive) {
				return nil, err
			}
			result.Count++
		}
	} else {
		response, err := s.cfg.Operator.Revoke(ctx, r.Level, r.Target)
		if err != nil {
			return nil, err
		}
		result.RevokeResponse = *response
	}
	for _, runID := range runsOf(named, delegated) {
		s.examineRun(ctx, runID, of(runID, named), of(runID, delegated), r.Delegated, result)
	}
	return result, nil
}

// runsOf returns the runs of tokens, in order.
func runsOf(tokens ...[]Token) (ids []string) {
	for _, t := range slices.Concat(tokens...) {
		ids = append(ids, t.RunID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// of returns a run's tokens.
func of(runID string, tokens []Token) []Token {
	return slices.DeleteFunc(slices.Clone(tokens), func(t Token) bool { return t.RunID != runID })
}

// examineRun has the tokens of a run examined and adds what the broker answered to
// the result. Without an answer, the named ones count as revoked, because the broker
// has acknowledged that.
func (s *Service) examineRun(ctx context.Context, runID string, named, delegated []Token, endRest bool, result *Revoked) {
	answer, err := s.command(ctx, runID, command{Kind: commandExamine, Examined: &examination{
		Revoked: result.RevokeResponse, Named: credentialsOf(named), Delegated: credentialsOf(delegated), EndRest: endRest}})
	for i, t := range slices.Concat(named, delegated) {
		o := unconfirmed
		if err != nil && i < len(named) {
			o = ended
		}
		for _, x := range answer.Examined {
			if x.Credential == t.Credential {
				o = x.Outcome
			}
		}
		switch o {
		case ended:
			result.Ended = append(result.Ended, t)
		case stillValid:
			result.StillValid = append(result.StillValid, t)
		case unconfirmed:
			result.Unconfirmed = append(result.Unconfirmed, t)
		}
	}
}

func credentialsOf(tokens []Token) (out []trace.Credential) {
	for _, t := range tokens {
		out = append(out, t.Credential)
	}
	return out
}

// endAlone ends one token and nothing else: it revokes it or, without the admin
// secret, releases it.
func (s *Service) endAlone(ctx context.Context, cred *credential) error {
	limited, cancel := context.WithTimeout(ctx, s.cfg.Limits.BrokerCall)
	defer cancel()
	if s.cfg.Operator == nil {
		err := cred.agent.Release(limited)
		if errors.Is(err, agentwrit.ErrAuthentication) {
			return nil // it has ended already
		}
		return err
	}
	_, err := s.cfg.Operator.Revoke(limited, wire.RevokeToken, cred.tokenID())
	return err
}

// outcome is what the broker answers about a token after a revocation.
type outcome int

const (
	unconfirmed outcome = iota // nothing
	ended
	stillValid
)

// affected is a token that a revocation ends, or that was delegated from one.
type affected struct {
	cred    *credential
	named   bool // by the revocation
	outcome outcome
}

// examineAll asks the broker about the tokens of a run that a revocation affects,
// and shows the answers in the run's trace.
func (s *Service) examineAll(ctx context.Context, e *encounter, x *examination) (out []examined) {
	var all []*affected
	for i, id := range slices.Concat(x.Named, x.Delegated) {
		if cred := e.credentials.find(id); cred != nil {
			all = append(all, &affected{cred: cred, named: i < len(x.Named)})
		}
	}
	for _, a := range all {
		s.examine(ctx, e, a)
	}
	s.show(ctx, e, x.Revoked, all, false)
	if x.EndRest {
		s.endRemaining(ctx, e, all)
	}
	for _, a := range all {
		out = append(out, examined{a.cred.Credential, a.outcome})
	}
	return out
}

// examine asks the broker about a token. One that the revocation names counts as
// revoked if the broker acknowledged the revocation and then does not answer about
// the token.
func (s *Service) examine(ctx context.Context, e *encounter, a *affected) {
	_, err := s.cfg.claimsOf(ctx, a.cred)
	switch {
	case err == nil:
		a.outcome = stillValid
	case errors.Is(err, agentwrit.ErrTokenInvalid), a.named:
		a.outcome = ended
		a.cred.revoked.Store(true)
		e.changedToken(ctx, a.cred)
	default:
		a.outcome = unconfirmed
	}
}

// endRemaining ends, one by one, the tokens that a revocation has left valid, and
// shows each in the run's trace.
func (s *Service) endRemaining(ctx context.Context, e *encounter, all []*affected) {
	for _, a := range all {
		if a.outcome != stillValid || s.endAlone(ctx, a.cred) != nil {
			continue
		}
		s.examine(ctx, e, a)
		response := agentwrit.RevokeResponse{Level: wire.RevokeToken, Target: a.cred.tokenID(), Count: 1}
		s.show(ctx, e, response, []*affected{a}, true)
	}
}

// show records a revocation in the trace of a run that it affects.
func (s *Service) show(ctx context.Context, e *encounter, r agentwrit.RevokeResponse, all []*affected, remaining bool) {
	step := trace.TokenRevoked{Level: string(r.Level), Target: r.Target, Count: r.Count,
		Remaining: remaining, Released: s.cfg.Operator == nil, Credentials: []trace.Credential{}}
	for _, a := range all {
		switch a.outcome {
		case ended:
			step.Credentials = append(step.Credentials, a.cred.Credential)
		case stillValid:
			step.StillValid = append(step.StillValid, a.cred.Credential)
		case unconfirmed:
			step.Unconfirmed = append(step.Unconfirmed, a.cred.Credential)
		}
	}
	e.rec.add(ctx, trace.StatusWarning, revokedLabel(step), step)
}

// revokedLabel describes a revocation for people.
func revokedLabel(step trace.TokenRevoked) string {
	label := "Operator revoked "
	if step.Released {
		label = "Operator ended by release (no admin secret): "
	}
	label += revokedName(step)
	if step.Remaining {
		label += " as well: the broker had left it valid"
	}
	if len(step.StillValid) > 0 {
		label += "; still valid: " + credentialNames(step.StillValid)
	}
	if len(step.Unconfirmed) > 0 {
		label += "; not confirmed: " + credentialNames(step.Unconfirmed)
	}
	return label
}

// revokedName names what a revocation revoked, for people.
func revokedName(step trace.TokenRevoked) string {
	switch level := agentwrit.RevokeLevel(step.Level); {
	case level == wire.RevokeTask:
		return "the whole task"
	case level == wire.RevokeChain:
		return "all delegations of the agent"
	case level == wire.RevokeAgent && len(step.Credentials) > 0:
		return "the " + step.Credentials[0].Category + " agent"
	case len(step.Credentials) > 0:
		return "the " + (&credential{Credential: step.Credentials[0]}).String() + " token"
	}
	return "a token"
}

func credentialNames(all []trace.Credential) string {
	var names []string
	for _, c := range all {
		names = append(names, (&credential{Credential: c}).String())
	}
	return strings.Join(names, ", ")
}
