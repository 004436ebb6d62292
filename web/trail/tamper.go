package trail

import (
	"errors"
	"fmt"
	"slices"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// Change is what someone may do to a trail who can write to its file.
type Change string

// The changes. Each is found, the last one only with an older checkpoint.
const (
	Edit    Change = "edit"   // one event says something else
	Rewrite Change = "forge"  // it says something else, and its own hash is made to fit
	Delete  Change = "delete" // it is taken out
	Swap    Change = "swap"   // it changes places with the one before it
	Cut     Change = "cut"    // it and all after it are taken off the end
)

// Changes are all of them, with what they do.
var Changes = []struct {
	Change Change
	Words  string
}{
	{Edit, "edit its detail"},
	{Rewrite, "edit it and fit its hash"},
	{Delete, "delete it"},
	{Swap, "swap it with the one before"},
	{Cut, "cut the trail off there"},
}

// Tampered is a copy of a trail's end that was changed, and what a verifier
// says of it.
type Tampered struct {
	Events []agentwrit.AuditEvent
	Good   int    // how many of them still verify
	Found  string // where and why it breaks
	// ByCheckpoint says that the chain alone does not show it: what shows it is
	// that someone has kept an older head.
	ByCheckpoint bool
}

// ErrNoEvent says that the event to be changed is not in the copy, or can't be
// changed so.
var ErrNoEvent = errors.New("trail: no such event to change")

// Tamper copies the state's last n events, changes the one with that ID, and
// verifies the copy from the event before it on. The trail itself is not
// touched.
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
	case chain.Size == s.Verified:
		t.ByCheckpoint = true
		t.Found = "The chain fits, but a head kept from before is another one: the last event was rewritten."
	default:
		t.ByCheckpoint = true
		t.Found = fmt.Sprintf("The chain fits, but ends after %d events. A head kept from before says %d: the end was cut.", chain.Size, s.Verified)
	}
	return t, nil
}
