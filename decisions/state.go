package decisions

import (
	"context"
	"slices"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// inMemory is how many of the newest entries a State has, at least.
const inMemory = 500

// A State is a log at one moment.
type State struct {
	Size    int64             // entries so far, those that were dropped included
	Dropped int64             // oldest entries that are no longer kept
	Head    string            // hash of the last entry
	Newest  []wire.AuditEvent // oldest first; must not be modified
	Broken  error             // where the chain is broken; nil if it is not
	version int64
}

// load reads and verifies the stored entries.
func (s *State) load(ctx context.Context, from storage) error {
	*s = State{Head: wire.GenesisHash}
	h, err := from.load(ctx, func(e Entry) {
		if len(s.Newest) == 0 && e.Position > 1 { // those before were dropped
			s.Size, s.Head = e.Position-1, e.Event.PrevHash
		}
		s.add(e)
	})
	s.finish(h)
	return err
}

// add adds entries that follow. What a returned State shows does not change: entries
// are only appended, or copied.
func (s *State) add(entries ...Entry) {
	for _, e := range entries {
		chain := wire.Chain{Size: s.Size, Head: s.Head}
		if err := chain.Add(e.Event); err != nil && s.Broken == nil {
			s.Broken = err
		}
		s.Size, s.Head = e.Position, e.Event.Hash
		if len(s.Newest) == 2*inMemory {
			s.Newest = slices.Clone(s.Newest[inMemory:])
		}
		s.Newest = append(s.Newest, e.Event)
	}
}

// finish compares the entries that were read with the stored head.
func (s *State) finish(h head) {
	if s.Broken == nil && (s.Size < h.size || s.Size == h.size && s.Head != h.hash) {
		s.Broken = &wire.ChainError{Position: s.Size + 1, Reason: "the newest event is not the last one that was stored"}
	}
	if s.Size <= h.size {
		s.Size, s.Head = h.size, h.hash
	}
	s.Dropped = h.dropped
}

func (s *State) head() head { return head{s.Size, s.Dropped, s.Head} }
