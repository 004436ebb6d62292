// Package revocation decides whether a token is revoked. It is the one place that
// defines the four levels of revocation and their effect on delegated tokens.
//
// A token is revoked if its jti, its agent or its task is revoked, or if an agent
// in its delegation chain is revoked or its delegations are. The decision needs
// no database: the revocation list is in memory, and everything else is in the
// token's claims.
package revocation

import (
	"maps"
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

	// Lineage ends what was delegated from one delegated token and its renewals,
	// and not what its subject delegates from other tokens. The target is
	// [LineageOf] the token.
	Lineage Kind = "lineage"
)

// Forever is the cutoff of a [Chain] entry that also covers future delegations.
const Forever = math.MaxInt64

// An Entry is an entry of the revocation list.
type Entry struct {
	Kind   Kind
	Target string
	// Cutoff is the Unix time in nanoseconds up to which a Chain or Lineage entry
	// revokes the target's delegations. An agent whose token ended can still
	// delegate with another one.
	Cutoff int64
}

// A List is a revocation list. It is safe for concurrent use; the zero value is
// empty.
type List struct {
	mu       sync.RWMutex
	targets  map[Entry]struct{} // tokens, agents, tasks; Cutoff 0
	chains   map[string]int64   // cutoff by delegator
	lineages map[string]int64   // cutoff by lineage
}

// Add adds an entry. Of two entries with one target the later cutoff applies.
func (l *List) Add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(e)
}

func (l *List) add(e Entry) {
	switch e.Kind {
	case Chain:
		raise(&l.chains, e)
		return
	case Lineage:
		raise(&l.lineages, e)
		return
	}
	if l.targets == nil {
		l.targets = make(map[Entry]struct{})
	}
	e.Cutoff = 0
	l.targets[e] = struct{}{}
}

func raise(cutoffs *map[string]int64, e Entry) {
	if *cutoffs == nil {
		*cutoffs = make(map[string]int64)
	}
	(*cutoffs)[e.Target] = max((*cutoffs)[e.Target], e.Cutoff)
}

// Drop removes an entry. Every token that it revokes must have expired.
func (l *List) Drop(kind Kind, target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch kind {
	case Chain:
		delete(l.chains, target)
	case Lineage:
		delete(l.lineages, target)
	default:
		delete(l.targets, Entry{Kind: kind, Target: target})
	}
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
	for target, cutoff := range other.lineages {
		l.add(Entry{Lineage, target, cutoff})
	}
}

// Replace makes the list have the entries of other and no others.
func (l *List) Replace(other *List) {
	other.mu.RLock()
	defer other.mu.RUnlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.targets, l.chains, l.lineages = maps.Clone(other.targets), maps.Clone(other.chains), maps.Clone(other.lineages)
}

// Len returns the number of entries.
func (l *List) Len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.targets) + len(l.chains) + len(l.lineages)
}

// Revoked reports whether an entry revokes a token with these claims.
func (l *List) Revoked(c *wire.Claims) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.has(Token, c.ID) || l.has(Task, c.TaskID) || l.agentRevoked(c.Subject) {
		return true
	}
	for i, hop := range c.DelegationChain {
		if l.agentRevoked(hop.Agent) || revokedBy(l.chains, hop.Agent, hop) {
			return true
		}
		if len(l.lineages) > 0 && i > 0 && revokedBy(l.lineages, LineageOf(c.DelegationChain[:i], hop.Agent), hop) {
			return true
		}
	}
	return false
}

// LineageOf identifies a delegated token and its renewals by what they have in
// common: the delegation chain and the subject. The time in the last hop is
// different for every delegation.
func LineageOf(chain []wire.DelegationHop, subject string) string {
	return LineageOfHash(wire.HashChain(chain), subject)
}

// LineageOfHash is like [LineageOf] for the hash of the chain.
func LineageOfHash(chainHash, subject string) string { return chainHash + " " + subject }

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

// revokedBy reports whether an entry for target revokes a delegation.
func revokedBy(cutoffs map[string]int64, target string, hop wire.DelegationHop) bool {
	cutoff, found := cutoffs[target]
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
