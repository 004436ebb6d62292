package agents

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/trace"
)

// An Operator can revoke credentials at the broker.
type Operator interface {
	Revoke(ctx context.Context, level agentwrit.RevokeLevel, target string) (*agentwrit.RevokeResponse, error)
}

var _ Operator = (*agentwrit.Admin)(nil)

// A Token describes an active token of a live run for the operator: its holder
// and the names by which it can be revoked. It does not hold the token itself.
type Token struct {
	RunID string
	trace.Credential
	ID         string // "jti"; empty until the broker has returned it
	AgentID    string // the holder's SPIFFE ID
	TaskID     string
	Scope      []string
	Expires    time.Time
	Delegators []string // SPIFFE IDs, the first delegator first
}

// Tokens returns the active tokens of all live runs, ordered by run and then by
// the time of issue.
func (s *Service) Tokens() []Token {
	live := s.encounters()
	slices.SortFunc(live, func(a, b *encounter) int { return cmp.Or(a.started.Compare(b.started), cmp.Compare(a.id, b.id)) })
	var out []Token
	for _, e := range live {
		out = append(out, e.tokens()...)
	}
	return out
}

func (e *encounter) tokens() []Token {
	now := e.Clock()
	var out []Token
	for _, c := range e.credentials.list() {
		if c.agent.Released() || !now.Before(c.agent.ExpiresAt()) || c.revoked.Load() {
			continue
		}
		id, _ := c.jti.Load().(string)
		t := Token{RunID: e.id, Credential: c.Credential, ID: id, AgentID: c.agent.ID(), TaskID: c.agent.TaskID(),
			Scope: c.agent.Scope(), Expires: c.agent.ExpiresAt()}
		for _, hop := range c.agent.DelegationChain() {
			t.Delegators = append(t.Delegators, hop.Agent)
		}
		out = append(out, t)
	}
	return out
}

// Affected returns the active tokens that a revocation would revoke: those that
// it names and those that were delegated from them (docs/protocol.md,
// "Revocation").
func (s *Service) Affected(level agentwrit.RevokeLevel, target string) []Token {
	if target == "" {
		return nil
	}
	all := s.Tokens()
	var named []Token
	for _, t := range all {
		if t.namedBy(level, target) {
			named = append(named, t)
		}
	}
	return slices.DeleteFunc(all, func(t Token) bool {
		return !t.namedBy(level, target) && (level == wire.RevokeChain || !slices.ContainsFunc(named, t.delegatedFrom))
	})
}

// namedBy reports whether a revocation names the token itself.
func (t Token) namedBy(level agentwrit.RevokeLevel, target string) bool {
	switch level {
	case wire.RevokeToken:
		return t.ID == target
	case wire.RevokeAgent:
		return t.AgentID == target
	case wire.RevokeTask:
		return t.TaskID == target
	case wire.RevokeChain:
		return slices.Contains(t.Delegators, target)
	}
	return false
}

// delegatedFrom reports whether the broker revokes t together with parent. With an
// agent's own token it revokes everything that names the agent as a delegator.
// With a delegated token it revokes only what was delegated from that token: its
// holder's other delegations are unaffected.
func (t Token) delegatedFrom(parent Token) bool {
	if !parent.Delegated {
		return slices.Contains(t.Delegators, parent.AgentID)
	}
	depth := len(parent.Delegators)
	return len(t.Delegators) > depth && t.Delegators[depth] == parent.AgentID && slices.Equal(t.Delegators[:depth], parent.Delegators)
}

// Revoke revokes credentials at the broker and shows the revocation in the trace
// of each live run that it affects. It fails with ErrNoOperator if the service
// has no operator, and with the broker's errors.
func (s *Service) Revoke(ctx context.Context, level agentwrit.RevokeLevel, target string) (*agentwrit.RevokeResponse, error) {
	if s.cfg.Operator == nil {
		return nil, ErrNoOperator
	}
	affected := s.Affected(level, target)
	response, err := s.cfg.Operator.Revoke(ctx, level, target)
	if err != nil {
		return nil, err
	}
	for _, run := range runsOf(affected) {
		e, err := s.find(run)
		if err != nil {
			continue // it has ended meanwhile
		}
		step := trace.TokenRevoked{Level: string(level), Target: target, Count: response.Count}
		for _, t := range affected {
			if t.RunID == run {
				step.Credentials = append(step.Credentials, t.Credential)
				e.credentials.find(t.Credential).revoked.Store(true)
			}
		}
		e.rec.add(ctx, trace.StatusWarning, "Operator revoked "+revokedName(level, step.Credentials), step)
	}
	return response, nil
}

// runsOf returns the IDs of the tokens' runs, each once.
func runsOf(tokens []Token) []string {
	var ids []string
	for _, t := range tokens {
		ids = append(ids, t.RunID)
	}
	return slices.Compact(ids)
}

// revokedName names what a revocation revoked, for people.
func revokedName(level agentwrit.RevokeLevel, affected []trace.Credential) string {
	switch {
	case level == wire.RevokeTask:
		return "the whole task"
	case level == wire.RevokeChain:
		return "all delegations of the agent"
	case level == wire.RevokeAgent && len(affected) > 0:
		return "the " + affected[0].Category + " agent"
	case len(affected) > 0:
		return "the " + (&credential{Credential: affected[0]}).String() + " token"
	}
	return "a token"
}
