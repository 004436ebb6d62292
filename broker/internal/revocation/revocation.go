// Package revocation decides whether a token is revoked. It is the one place that
// defines the four levels of revocation and their effect on delegated tokens.
//
// A token is revoked if its jti, its agent or its task is revoked, or if an agent
// in its delegation chain is revoked or its delegations are. The decision needs
// no database: the revocation list is in memory, and everything else is in the
// token's claims.
package revocation

import (
	"math"
	"strings"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// A Kind says what an entry's target is.
type Kind string

// The kinds are the levels of docs/protocol.md, "Revocation".
const (
	Token Kind = "token" // a jti
	Agent Kind = "agent" // a SPIFFE ID: its tokens and everything it delegated
	Task  Kind = "task"  // a task_id: its tokens, its agents, and everything they delegated
	Chain Kind = "chain" // a SPIFFE ID: everything it delegated, but not its own tokens
)

// Forever is the cutoff of a [Chain] entry that also covers future delegations.
const Forever = math.MaxInt64

// An Entry is an entry of the revocation list.
type Entry struct {
	Kind   Kind
	Target string
	// Cutoff is the Unix time in nanoseconds up to which a Chain entry revokes
	// the target's delegations. An agent whose token ended can still delegate
	// with another one.
	Cutoff int64
}

// A List is a revocation list. It is safe for concurrent use; the zero value is
// empty.
type List struct {
	mu      sync.RWMutex
	targets map[Entry]struct{} // tokens, agents, tasks; Cutoff 0
	chains  map[string]int64   // cutoff by delegator
}

// Add adds an entry. Of two Chain entries with one target the later cutoff
// applies.
func (l *List) Add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(e)
}

func (l *List) add(e Entry) {
	if e.Kind == Chain {
		if l.chains == nil {
			l.chains = make(map[string]int64)
		}
		l.chains[e.Target] = max(l.chains[e.Target], e.Cutoff)
		return
	}
	if l.targets == nil {
		l.targets = make(map[Entry]struct{})
	}
	e.Cutoff = 0
	l.targets[e] = struct{}{}
}

// Drop removes an entry. Every token that it revokes must have expired.
func (l *List) Drop(kind Kind, target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kind == Chain {
		delete(l.chains, target)
		return
	}
	delete(l.targets, Entry{Kind: kind, Target: target})
}

// Merge adds all entries of other atomically.
func (l *List) Merge(other *List) {
	other.mu.RLock()
	defer other.mu.RUnlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := range other.targets {
		l.add(e)
	}
	for target, cutoff := range other.chains {
		l.add(Entry{Chain, target, cutoff})
	}
}

// Len returns the number of entries.
func (l *List) Len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.targets) + len(l.chains)
}

// Revoked reports whether an entry revokes a token with these claims.
func (l *List) Revoked(c *wire.Claims) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.has(Token, c.ID) || l.has(Task, c.TaskID) || l.agentRevoked(c.Subject) {
		return true
	}
	for _, hop := range c.DelegationChain {
		if l.agentRevoked(hop.Agent) || l.hopRevoked(hop) {
			return true
		}
	}
	return false
}

// Forbids reports whether the list has an entry with exactly this target.
func (l *List) Forbids(kind Kind, target string) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if kind == Chain {
		return l.chains[target] == Forever
	}
	return l.has(kind, target)
}

func (l *List) has(kind Kind, target string) bool {
	_, found := l.targets[Entry{Kind: kind, Target: target}]
	return found
}

// agentRevoked reports whether an agent is revoked, by its ID or with the task it
// was registered for, which can differ from the task of the token.
func (l *List) agentRevoked(id string) bool {
	return l.has(Agent, id) || l.has(Task, taskOf(id))
}

func (l *List) hopRevoked(hop wire.DelegationHop) bool {
	cutoff, found := l.chains[hop.Agent]
	if !found {
		return false
	}
	at, err := time.Parse(time.RFC3339Nano, hop.DelegatedAt)
	// This broker writes no hop with an invalid time.
	return err != nil || at.UnixNano() <= cutoff
}

// taskOf returns the task in spiffe://<trust domain>/agent/<orch>/<task>/<instance>,
// or "" for any other subject.
func taskOf(id string) string {
	path, isSPIFFE := strings.CutPrefix(id, "spiffe://")
	if !isSPIFFE {
		return ""
	}
	parts := strings.Split(path, "/")
	if len(parts) != 5 || parts[1] != "agent" {
		return ""
	}
	return parts[3]
}
