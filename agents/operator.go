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
	RunID string `json:"run_id"`
	trace.Credential
	ID         string    `json:"jti,omitempty"`      // empty until the broker has returned it
	AgentID    string    `json:"agent_id,omitempty"` // the holder's SPIFFE ID
	TaskID     string    `json:"task_id,omitempty"`
	Scope      []string  `json:"scope,omitempty"`
	Expires    time.Time `json:"expires"`
	Delegators []string  `json:"delegators,omitempty"` // SPIFFE IDs, the first delegator first
}

// Tokens returns the active tokens of all live runs, ordered by run and then by
// the time of issue. Runs of other replicas come last.
func (s *Service) Tokens() []Token {
	live := s.encounters()
	slices.SortFunc(live, func(a, b *encounter) int { return cmp.Or(a.started.Compare(b.started), cmp.Compare(a.id, b.id)) })
	var out []Token
	for _, e := range live {
		if !e.left.Load() {
			out = append(out, e.tokens()...)
		}
	}
	for _, r := range s.others.list() {
		if _, err := s.find(r.ID); err != nil { // otherwise this replica has just taken it over
			out = append(out, r.activeTokens(s.cfg.Clock())...)
		}
	}
	return out
}

// tokens returns the run's active tokens.
func (e *encounter) tokens() []Token {
	now := e.Clock()
	var out []Token
	for _, c := range e.credentials.list() {
		if t := e.describe(c); !c.ended() && now.Before(t.Expires) {
			out = append(out, t)
		}
	}
	return out
}

// describe returns what the operator sees of a credential's token.
func (e *encounter) describe(c *credential) Token {
	t := Token{RunID: e.id, Credential: c.Credential, ID: c.tokenID(), AgentID: c.agent.ID(), TaskID: c.agent.TaskID(),
		Scope: c.agent.Scope(), Expires: c.agent.ExpiresAt()}
	for _, hop := range c.agent.DelegationChain() {
		t.Delegators = append(t.Delegators, hop.Agent)
	}
	return t
}

// Affected returns the active tokens that a revocation names, and those that were
// delegated from them. A broker that keeps the rules of docs/protocol.md
// ("Revocation") ends both; see [agentwrit.Promises].
func (s *Service) Affected(level agentwrit.RevokeLevel, target string) (named, delegated []Token) {
	if target == "" {
		return nil, nil
	}
	all := s.Tokens()
	for _, t := range all {
		if t.namedBy(level, target) {
			named = append(named, t)
		}
	}
	for _, t := range all {
		also := slices.ContainsFunc(named, t.delegatedFrom)
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
