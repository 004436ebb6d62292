package agents

import (
	"cmp"
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
	named, delegated := s.affected(r.Level, r.Target)
	result := &Revoked{RevokeResponse: agentwrit.RevokeResponse{Revoked: true, Level: r.Level, Target: r.Target}}
	if s.cfg.Operator == nil {
		if len(named) == 0 {
			return nil, ErrNoOperator
		}
		for _, h := range named {
			if err := s.endAlone(ctx, h); err != nil {
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
	var all []*affected
	for _, h := range named {
		all = append(all, &affected{held: h, named: true})
	}
	for _, h := range delegated {
		all = append(all, &affected{held: h})
	}
	slices.SortStableFunc(all, func(a, b *affected) int { return cmp.Compare(a.RunID, b.RunID) })
	for _, a := range all {
		s.examine(ctx, a)
	}
	s.show(ctx, result.RevokeResponse, all, false)
	if r.Delegated {
		s.endRemaining(ctx, all)
	}
	for _, a := range all {
		switch a.outcome {
		case ended:
			result.Ended = append(result.Ended, a.Token)
		case stillValid:
			result.StillValid = append(result.StillValid, a.Token)
		case unconfirmed:
			result.Unconfirmed = append(result.Unconfirmed, a.Token)
		}
	}
	return result, nil
}

// endAlone ends one token and nothing else: it revokes it or, without the admin
// secret, releases it.
func (s *Service) endAlone(ctx context.Context, h held) error {
	limited, cancel := context.WithTimeout(ctx, s.cfg.Limits.BrokerCall)
	defer cancel()
	if s.cfg.Operator == nil {
		err := h.cred.agent.Release(limited)
		if errors.Is(err, agentwrit.ErrAuthentication) {
			return nil // it has ended already
		}
		return err
	}
	_, err := s.cfg.Operator.Revoke(limited, wire.RevokeToken, h.cred.tokenID())
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
	held
	named   bool // by the revocation
	outcome outcome
}

// examine asks the broker about a token. One that the revocation names counts as
// revoked if the broker acknowledged the revocation and then does not answer about
// the token.
func (s *Service) examine(ctx context.Context, a *affected) {
	_, err := s.cfg.claimsOf(ctx, a.cred)
	switch {
	case err == nil:
		a.outcome = stillValid
	case errors.Is(err, agentwrit.ErrTokenInvalid), a.named:
		a.outcome = ended
		a.cred.revoked.Store(true)
	default:
		a.outcome = unconfirmed
	}
}

// endRemaining ends, one by one, the tokens that a revocation has left valid, and
// shows each in its run's trace.
func (s *Service) endRemaining(ctx context.Context, all []*affected) {
	for _, a := range all {
		if a.outcome != stillValid || s.endAlone(ctx, a.held) != nil {
			continue
		}
		s.examine(ctx, a)
		response := agentwrit.RevokeResponse{Level: wire.RevokeToken, Target: a.cred.tokenID(), Count: 1}
		s.show(ctx, response, []*affected{a}, true)
	}
}

// show records a revocation in the trace of each run that it affects. The tokens
// are ordered by run.
func (s *Service) show(ctx context.Context, r agentwrit.RevokeResponse, all []*affected, remaining bool) {
	for len(all) > 0 {
		e := all[0].run
		step := trace.TokenRevoked{Level: string(r.Level), Target: r.Target, Count: r.Count,
			Remaining: remaining, Released: s.cfg.Operator == nil, Credentials: []trace.Credential{}}
		for ; len(all) > 0 && all[0].run == e; all = all[1:] {
			switch a := all[0]; a.outcome {
			case ended:
				step.Credentials = append(step.Credentials, a.Credential)
			case stillValid:
				step.StillValid = append(step.StillValid, a.Credential)
			case unconfirmed:
				step.Unconfirmed = append(step.Unconfirmed, a.Credential)
			}
		}
		e.rec.add(ctx, trace.StatusWarning, revokedLabel(step), step)
	}
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
