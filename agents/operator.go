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

// Operator revokes at the broker.
type Operator interface {
	Revoke(ctx context.Context, level agentwrit.RevokeLevel, target string) (*agentwrit.RevokeResponse, error)
}

var _ Operator = (*agentwrit.Admin)(nil)

// Token is a live token of a live run as an operator sees it: whose it is and
// by which names it can be revoked, and never the token itself.
type Token struct {
	RunID string
	trace.Credential
	ID         string // "jti"; empty while the broker has not been asked
	AgentID    string // the holder's SPIFFE ID
	TaskID     string
	Scope      []string
	Expires    time.Time
	Delegators []string // SPIFFE IDs, the first delegator first
}

// Tokens lists the live tokens of all live runs: by run, then as they were
// issued.
func (s *Service) Tokens() []Token {
	s.mu.Lock()
	live := make([]*encounter, 0, len(s.live))
	for _, e := range s.live {
		live = append(live, e)
	}
	s.mu.Unlock()
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
	for _, c := range e.crew.list() {
		if c.agent.Released() || !now.Before(c.agent.ExpiresAt()) || c.dead.Load() {
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

// Affected lists which of the live tokens a revocation would take down: those
// that it names, and those that were delegated by their holders, near or far
// (WIRE.md, "where ours is stricter").
func (s *Service) Affected(level agentwrit.RevokeLevel, target string) []Token {
	all := s.Tokens()
	named := make(map[string]bool) // agents
	hit := func(t Token) bool {
		switch level {
		case wire.RevokeToken:
			return t.ID == target
		case wire.RevokeAgent:
			return t.AgentID == target
		case wire.RevokeTask:
			return t.TaskID == target
		case wire.RevokeChain:
			return len(t.Delegators) > 0 && t.Delegators[0] == target
		}
		return false
	}
	for _, t := range all {
		if hit(t) && level != wire.RevokeChain && !t.Delegated {
			named[t.AgentID] = true
		}
	}
	return slices.DeleteFunc(all, func(t Token) bool {
		return target == "" || !hit(t) && !slices.ContainsFunc(t.Delegators, func(by string) bool { return named[by] })
	})
}

// Revoke has the broker revoke, and shows it in the trace of each live run that
// loses a token by it. It fails with ErrNoOperator and the broker's errors.
func (s *Service) Revoke(ctx context.Context, level agentwrit.RevokeLevel, target string) (*agentwrit.RevokeResponse, error) {
	if s.cfg.Operator == nil {
		return nil, ErrNoOperator
	}
	hit := s.Affected(level, target)
	answer, err := s.cfg.Operator.Revoke(ctx, level, target)
	if err != nil {
		return nil, err
	}
	for run := range slices.Values(runsOf(hit)) {
		e, err := s.find(run)
		if err != nil {
			continue // it has ended meanwhile
		}
		step := trace.TokenRevoked{Level: string(level), Target: target, Count: answer.Count}
		for _, t := range hit {
			if t.RunID == run {
				step.Credentials = append(step.Credentials, t.Credential)
				e.crew.find(t.Credential).dead.Store(true)
			}
		}
		e.rec.add(ctx, trace.StatusWarning, "The operator revokes "+what(level, step.Credentials), step)
	}
	return answer, nil
}

func runsOf(tokens []Token) []string {
	var ids []string
	for _, t := range tokens {
		ids = append(ids, t.RunID)
	}
	return slices.Compact(ids)
}

// what names what a revocation takes down, for people.
func what(level agentwrit.RevokeLevel, hit []trace.Credential) string {
	switch {
	case level == wire.RevokeTask:
		return "the whole task"
	case level == wire.RevokeChain:
		return "all that was delegated"
	case level == wire.RevokeAgent && len(hit) > 0:
		return "the " + hit[0].Category + " agent"
	case len(hit) > 0:
		return "the " + (&credential{Credential: hit[0]}).String() + " token"
	}
	return "a token"
}
