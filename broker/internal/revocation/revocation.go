// Package revocation decides whether a token is dead: the one place where the
// four levels of revocation, and what they mean for delegated tokens, are
// written down.
//
// A token is dead when its own jti is revoked, or its agent is, or its task, or
// when any agent in its delegation chain may no longer answer for what it
// handed on. It never needs the database: the list of what is revoked and not
// yet expired stands in memory, and everything else is in the token's claims.
package revocation

import (
	"math"
	"strings"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// Kind says what an entry's target is.
type Kind string

// The kinds are the levels of WIRE.md, "Revoke".
const (
	Token Kind = "token" // a jti
	Agent Kind = "agent" // a SPIFFE ID: its tokens, and all that it delegated
	Task  Kind = "task"  // a task_id: its tokens, its agents, and all that they delegated
	Chain Kind = "chain" // a SPIFFE ID: all that it delegated, not its own tokens
)

// Forever is the cutoff of a [Chain] entry that holds for delegations yet to
// come.
const Forever = math.MaxInt64

// Entry is one line of the revocation list.
type Entry struct {
	Kind   Kind
	Target string
	// Cutoff, of a Chain entry, is the Unix time in nanoseconds up to which
	// delegations by the target are dead. An agent that gave up one token, and
	// all that hung on it, may go on to delegate with another.
	Cutoff int64
}

// List is a revocation list, safe for concurrent use. The zero value is empty.
type List struct {
	mu      sync.RWMutex
	targets map[Entry]struct{} // tokens, agents, tasks; Cutoff 0
	chains  map[string]int64   // cutoff by delegator
}

// Add puts an entry on the list. Of two chain entries on one target the later
// cutoff holds.
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

// Drop takes an entry off the list: nothing that it kills is alive any more.
func (l *List) Drop(kind Kind, target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kind == Chain {
		delete(l.chains, target)
		return
	}
	delete(l.targets, Entry{Kind: kind, Target: target})
}

// Merge puts all entries of other on the list, at once for any reader.
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

// Len is the number of entries.
func (l *List) Len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.targets) + len(l.chains)
}

// Revoked reports whether the list kills a token with these claims.
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

// Forbids reports whether an entry stands on exactly this target.
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

// agentRevoked: an agent is revoked by its ID, or with the task it was
// registered for, whatever task the token in hand serves.
func (l *List) agentRevoked(id string) bool {
	return l.has(Agent, id) || l.has(Task, taskOf(id))
}

func (l *List) hopRevoked(hop wire.DelegationHop) bool {
	cutoff, found := l.chains[hop.Agent]
	if !found {
		return false
	}
	at, err := time.Parse(time.RFC3339Nano, hop.DelegatedAt)
	// A hop whose time can't be read was not written by this broker.
	return err != nil || at.UnixNano() <= cutoff
}

// taskOf is the task in spiffe://<trust domain>/agent/<orch>/<task>/<instance>,
// "" for any other subject.
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
