package wire

import "fmt"

// Chain follows an audit trail from its first event, one event at a time, and
// keeps the head it has reached. The zero value stands before the first event;
// one with Size and Head set goes on from there, for instance from an older
// checkpoint. Not safe for concurrent use.
type Chain struct {
	Size int64  // events so far
	Head string // hash of the last one; "" or GenesisHash before the first
}

// ChainError says where a trail stops being the one that was written.
type ChainError struct {
	Position int64  // 1 for the first event
	ID       string // as the event gives it
	Reason   string
}

// Error names the event and what is wrong with it.
func (e *ChainError) Error() string {
	return fmt.Sprintf("audit event %d (%s): %s", e.Position, e.ID, e.Reason)
}

// Add checks that e is the event that follows, and moves the head to it. On a
// *ChainError the head stays where it was.
func (c *Chain) Add(e AuditEvent) error {
	head := c.Head
	if head == "" {
		head = GenesisHash
	}
	if e.PrevHash != head {
		return &ChainError{c.Size + 1, e.ID, "prev_hash is not the hash of the event before it: one was removed, inserted or moved here"}
	}
	if e.ComputeHash() != e.Hash {
		return &ChainError{c.Size + 1, e.ID, "hash does not fit its fields: the event was changed"}
	}
	c.Size, c.Head = c.Size+1, e.Hash
	return nil
}
