package revocation

import (
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

const (
	alice = "spiffe://agentwrit.local/agent/o/t-alice/0000000000000001"
	bob   = "spiffe://agentwrit.local/agent/o/t-bob/0000000000000002"
	carol = "spiffe://agentwrit.local/agent/o/t-carol/0000000000000003"
)

var delegatedAt = time.Date(2026, 5, 4, 9, 0, 0, 5, time.UTC)

func hop(agent string) wire.DelegationHop {
	return wire.DelegationHop{Agent: agent, DelegatedAt: delegatedAt.Format(time.RFC3339Nano)}
}

// carols is what alice delegated to bob, and bob to carol.
var carols = &wire.Claims{ID: "jti-1", Subject: carol, TaskID: "t-alice",
	DelegationChain: []wire.DelegationHop{hop(alice), hop(bob)}}

func TestRevoked(t *testing.T) {
	at := delegatedAt.UnixNano()
	tests := []struct {
		name  string
		entry Entry
		want  bool
	}{
		{"its jti", Entry{Kind: Token, Target: "jti-1"}, true},
		{"another jti", Entry{Kind: Token, Target: "jti-2"}, false},
		{"its agent", Entry{Kind: Agent, Target: carol}, true},
		{"an ancestor", Entry{Kind: Agent, Target: bob}, true},
		{"the root", Entry{Kind: Agent, Target: alice}, true},
		{"its task", Entry{Kind: Task, Target: "t-alice"}, true},
		{"its agent's task", Entry{Kind: Task, Target: "t-carol"}, true},
		{"an ancestor's task", Entry{Kind: Task, Target: "t-bob"}, true},
		{"another task", Entry{Kind: Task, Target: "t"}, false},
		{"the orchestration, which is no task", Entry{Kind: Task, Target: "o"}, false},
		{"the root's chain", Entry{Kind: Chain, Target: alice, Cutoff: Forever}, true},
		{"an ancestor's chain", Entry{Kind: Chain, Target: bob, Cutoff: Forever}, true},
		{"its own chain", Entry{Kind: Chain, Target: carol, Cutoff: Forever}, false},
		{"what an ancestor delegated until then", Entry{Kind: Chain, Target: bob, Cutoff: at}, true},
		{"what an ancestor delegated before", Entry{Kind: Chain, Target: bob, Cutoff: at - 1}, false},
		{"a jti that is an agent's ID", Entry{Kind: Token, Target: carol}, false},
		{"an agent that is a jti", Entry{Kind: Agent, Target: "jti-1"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l, merged List
			l.Add(tt.entry)
			merged.Merge(&l)
			if got := l.Revoked(carols); got != tt.want {
				t.Errorf("revoked = %t", got)
			}
			if got := merged.Revoked(carols); got != tt.want {
				t.Errorf("merged: revoked = %t", got)
			}
			l.Drop(tt.entry.Kind, tt.entry.Target)
			if l.Revoked(carols) || l.Len() != 0 {
				t.Error("revoked after the entry was dropped")
			}
		})
	}
}

func TestHopWithAnInvalidTimeIsRevoked(t *testing.T) {
	var l List
	l.Add(Entry{Kind: Chain, Target: alice, Cutoff: 1})
	c := &wire.Claims{Subject: bob, DelegationChain: []wire.DelegationHop{{Agent: alice, DelegatedAt: "yesterday"}}}
	if !l.Revoked(c) {
		t.Error("it is valid")
	}
}

// hopAt is a hop at a Unix time in nanoseconds.
func hopAt(agent string, nanos int64) wire.DelegationHop {
	return wire.DelegationHop{Agent: agent, DelegatedAt: time.Unix(0, nanos).UTC().Format(time.RFC3339Nano)}
}

func TestLineage(t *testing.T) {
	chain := []wire.DelegationHop{hopAt(alice, 10), hopAt(bob, 20), hopAt(carol, 30)}
	for _, tt := range []struct {
		name  string
		entry Entry
		want  bool
	}{
		{"of the token that bob delegated from", Entry{Lineage, LineageOf(chain[:1], bob), 20}, true},
		{"of the token that carol delegated from", Entry{Lineage, LineageOf(chain[:2], carol), 30}, true},
		{"ended before", Entry{Lineage, LineageOf(chain[:2], carol), 29}, false},
		{"of the token itself", Entry{Lineage, LineageOf(chain, "dora"), 99}, false},
		{"of another delegation to bob", Entry{Lineage, LineageOf([]wire.DelegationHop{hopAt(alice, 11)}, bob), 99}, false},
		{"of another subject", Entry{Lineage, LineageOf(chain[:1], carol), 99}, false},
	} {
		var l List
		l.Add(tt.entry)
		if got := l.Revoked(&wire.Claims{Subject: "dora", DelegationChain: chain}); got != tt.want {
			t.Errorf("%s: revoked = %t, want %t", tt.name, got, tt.want)
		}
		var merged List
		merged.Merge(&l)
		if got := merged.Revoked(&wire.Claims{Subject: "dora", DelegationChain: chain}); got != tt.want {
			t.Errorf("%s, merged: revoked = %t, want %t", tt.name, got, tt.want)
		}
		if l.Drop(tt.entry.Kind, tt.entry.Target); l.Len() != 0 {
			t.Errorf("%s: %d entries after Drop", tt.name, l.Len())
		}
	}
}

func TestLaterCutoffApplies(t *testing.T) {
	var l List
	l.Add(Entry{Kind: Chain, Target: alice, Cutoff: Forever})
	l.Add(Entry{Kind: Chain, Target: alice, Cutoff: 1})
	if !l.Revoked(carols) || !l.Forbids(Chain, alice) {
		t.Error("an earlier cutoff took a later one back")
	}
}

func TestNothingIsRevokedByAnEmptyTarget(t *testing.T) {
	var l List
	l.Add(Entry{Kind: Task, Target: "t"})
	if l.Revoked(&wire.Claims{Subject: "admin"}) || l.Revoked(&wire.Claims{Subject: "app:x", ID: "j"}) {
		t.Error("a token without a task is revoked with some task")
	}
}
