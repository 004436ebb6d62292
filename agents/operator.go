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

// held is a token of a live run together with what holds it.
type held struct {
	Token
	run  *encounter
	cred *credential
}

// Tokens returns the active tokens of all live runs, ordered by run and then by
// the time of issue.
func (s *Service) Tokens() []Token { return tokensOf(s.held()) }

func (s *Service) held() []held {
	live := s.encounters()
	slices.SortFunc(live, func(a, b *encounter) int { return cmp.Or(a.started.Compare(b.started), cmp.Compare(a.id, b.id)) })
	var out []held
	for _, e := range live {
		out = append(out, e.held()...)
	}
	return out
}

func (e *encounter) held() []held {
	now := e.Clock()
	var out []held
	for _, c := range e.credentials.list() {
		if c.agent.Released() || !now.Before(c.agent.ExpiresAt()) || c.revoked.Load() {
			continue
		}
		t := Token{RunID: e.id, Credential: c.Credential, ID: c.tokenID(), AgentID: c.agent.ID(), TaskID: c.agent.TaskID(),
			Scope: c.agent.Scope(), Expires: c.agent.ExpiresAt()}
		for _, hop := range c.agent.DelegationChain() {
			t.Delegators = append(t.Delegators, hop.Agent)
		}
		out = append(out, held{t, e, c})
	}
	return out
}

func tokensOf(all []held) []Token {
	var out []Token
	for _, h := range all {
		out = append(out, h.Token)
	}
	return out
}

// Affected returns the active tokens that a revocation names, and those that were
// delegated from them. A broker that keeps the rules of docs/protocol.md
// ("Revocation") ends both; see [agentwrit.Promises].
func (s *Service) Affected(level agentwrit.RevokeLevel, target string) (named, delegated []Token) {
	n, d := s.affected(level, target)
	return tokensOf(n), tokensOf(d)
}

func (s *Service) affected(level agentwrit.RevokeLevel, target string) (named, delegated []held) {
	if target == "" {
		return nil, nil
	}
	all := s.held()
	for _, t := range all {
		if t.namedBy(level, target) {
			named = append(named, t)
		}
	}
	for _, t := range all {
		also := slices.ContainsFunc(named, func(n held) bool { return t.delegatedFrom(n.Token) })
		if level == wire.RevokeAgent || level == wire.RevokeChain {
			also = also || slices.Contains(t.Delegators, target) // also if the agent's own token has ended
		}
		if also && !t.namedBy(level, target) {
			delegated = append(delegated, t)
		}
	}
	return named, delegated
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
		return len(t.Delegators) > 0 && t.Delegators[0] == target
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
