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
	affected := slices.Concat(named, delegated)
	slices.SortStableFunc(affected, func(a, b held) int { return cmp.Compare(a.RunID, b.RunID) })
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
	outcomes := s.examine(ctx, affected)
	s.show(ctx, result, affected, outcomes, named, false)
	if r.Delegated {
		s.endRemaining(ctx, affected, outcomes, named)
	}
	for i, h := range affected {
		switch outcomes[i] {
		case ended:
			result.Ended = append(result.Ended, h.Token)
		case stillValid:
			result.StillValid = append(result.StillValid, h.Token)
		case unconfirmed:
			result.Unconfirmed = append(result.Unconfirmed, h.Token)
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
	id, _ := h.cred.jti.Load().(string)
	_, err := s.cfg.Operator.Revoke(limited, wire.RevokeToken, id)
	return err
}

// outcome is what the broker answers about a token after a revocation.
type outcome int

const (
	unconfirmed outcome = iota // nothing
	ended
	stillValid
)

// examine asks the broker about each token.
func (s *Service) examine(ctx context.Context, tokens []held) []outcome {
	out := make([]outcome, len(tokens))
	for i, h := range tokens {
		limited, cancel := context.WithTimeout(ctx, s.cfg.Limits.BrokerCall)
		claims, err := s.cfg.Broker.Validate(limited, h.cred.agent.AccessToken())
		cancel()
		switch {
		case err == nil:
			out[i] = stillValid
			h.cred.jti.Store(claims.ID)
		case errors.Is(err, agentwrit.ErrTokenInvalid):
			out[i] = ended
			h.cred.revoked.Store(true)
		}
	}
	return out
}

// endRemaining ends, one by one, the tokens that a revocation has left valid, and
// shows each in its run's trace. It updates the outcomes.
func (s *Service) endRemaining(ctx context.Context, affected []held, outcomes []outcome, named []held) {
	for i, h := range affected {
		if outcomes[i] != stillValid || s.endAlone(ctx, h) != nil {
			continue
		}
		one := []held{h}
		outcomes[i] = s.examine(ctx, one)[0]
		id, _ := h.cred.jti.Load().(string)
		r := &Revoked{RevokeResponse: agentwrit.RevokeResponse{Level: wire.RevokeToken, Target: id, Count: 1}}
		s.show(ctx, r, one, outcomes[i:i+1], named, true)
	}
}

// show records a revocation in the trace of each run that it affects. A token that
// the revocation names counts as revoked if the broker acknowledged the revocation
// and then did not answer about the token.
func (s *Service) show(ctx context.Context, r *Revoked, affected []held, outcomes []outcome, named []held, remaining bool) {
	for start := 0; start < len(affected); {
		e := affected[start].run
		step := trace.TokenRevoked{Level: string(r.Level), Target: r.Target, Count: r.Count,
			Remaining: remaining, Released: s.cfg.Operator == nil, Credentials: []trace.Credential{}}
		end := start
		for ; end < len(affected) && affected[end].run == e; end++ {
			h := affected[end]
			isNamed := slices.ContainsFunc(named, func(n held) bool { return n.cred == h.cred })
			if outcomes[end] == unconfirmed && isNamed {
				h.cred.revoked.Store(true)
				outcomes[end] = ended
			}
			switch outcomes[end] {
			case ended:
				step.Credentials = append(step.Credentials, h.Credential)
			case stillValid:
				step.StillValid = append(step.StillValid, h.Credential)
			case unconfirmed:
				step.Unconfirmed = append(step.Unconfirmed, h.Credential)
			}
		}
		e.rec.add(ctx, trace.StatusWarning, revokedLabel(step), step)
		start = end
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
