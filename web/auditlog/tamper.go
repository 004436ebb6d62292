package auditlog

import (
	"errors"
	"fmt"
	"slices"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// A Change is a manipulation by someone who can write to the log's storage.
type Change string

// The changes. Each is detected; a truncation only with an earlier checkpoint.
const (
	Edit    Change = "edit"   // modify one event
	Rewrite Change = "forge"  // modify one event and recompute its hash
	Delete  Change = "delete" // remove it
	Swap    Change = "swap"   // swap it with the preceding event
	Cut     Change = "cut"    // remove it and all later events
)

// Changes lists the changes with their descriptions.
var Changes = []struct {
	Change Change
	Words  string
}{
	{Edit, "edit its detail"},
	{Rewrite, "edit it and recompute its hash"},
	{Delete, "delete it"},
	{Swap, "swap it with the preceding event"},
	{Cut, "truncate the log here"},
}

// A Tampered is a modified copy of the end of a log, with the result of verifying
// it.
type Tampered struct {
	Events []agentwrit.AuditEvent
	Good   int    // number of events that verify
	Found  string // where and why verification fails
	// ByCheckpoint reports that the chain itself verifies: only an earlier
	// checkpoint reveals the change.
	ByCheckpoint bool
}

// ErrNoEvent reports that the event is not in the copy or can't be changed in that
// way.
var ErrNoEvent = errors.New("auditlog: no such event to change")

// Tamper copies the last n events of the state, changes the one with that ID and
// verifies the copy. It does not modify the log or the state.
func Tamper(s State, n int, c Change, id string) (Tampered, error) {
	from := max(0, len(s.Newest)-n)
	events := slices.Clone(s.Newest[from:])
	at := slices.IndexFunc(events, func(e agentwrit.AuditEvent) bool { return e.ID == id })
	if at < 0 || c == Swap && at == 0 {
		return Tampered{}, ErrNoEvent
	}
	chain := wire.Chain{Size: s.First() - 1 + int64(from), Head: wire.GenesisHash}
	if len(events) > 0 {
		chain.Head = events[0].PrevHash
	}
	switch c {
	case Edit, Rewrite:
		events[at].Detail += " (changed)"
		if c == Rewrite {
			events[at].Hash = events[at].ComputeHash()
		}
	case Delete:
		events = slices.Delete(events, at, at+1)
	case Swap:
		events[at-1], events[at] = events[at], events[at-1]
	case Cut:
		events = events[:at]
	default:
		return Tampered{}, ErrNoEvent
	}
	t := Tampered{Events: events}
	for _, e := range events {
		if err := chain.Add(e); err != nil {
			t.Found = err.Error()
			return t, nil
		}
		t.Good++
	}
	switch {
	case chain.Head == s.Head:
	case chain.Size == s.Read:
		t.ByCheckpoint = true
		t.Found = "The chain verifies, but its head differs from an earlier checkpoint: the last event was rewritten."
	default:
		t.ByCheckpoint = true
		t.Found = fmt.Sprintf("The chain verifies, but ends after %d events; an earlier checkpoint covers %d: the log was truncated.", chain.Size, s.Read)
	}
	return t, nil
}
