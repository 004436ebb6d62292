package wire

import "fmt"

// A Chain verifies the hash chain of an audit log, one event at a time. The zero
// value expects the first event. With Size and Head set, for instance from a
// checkpoint, it continues from there. A Chain is not safe for concurrent use.
type Chain struct {
	Size int64  // number of events verified
	Head string // hash of the last one; "" or GenesisHash before the first
}

// A ChainError reports the first event that does not follow from the events
// before it.
type ChainError struct {
	Position int64  // 1 for the first event
	ID       string // the event's own ID, unverified
	Reason   string
}

// Error names the event and describes the mismatch.
func (e *ChainError) Error() string {
	return fmt.Sprintf("audit event %d (%s): %s", e.Position, e.ID, e.Reason)
}

// Add verifies that e follows the last event and makes e the head. If it does not,
// Add returns a *ChainError and leaves the chain as it was.
func (c *Chain) Add(e AuditEvent) error {
	head := c.Head
	if head == "" {
		head = GenesisHash
	}
	if e.PrevHash != head {
		return &ChainError{c.Size + 1, e.ID, "prev_hash is not the hash of the previous event: an event was removed, inserted or moved"}
	}
	if e.ComputeHash() != e.Hash {
		return &ChainError{c.Size + 1, e.ID, "hash mismatch: event modified"}
	}
	c.Size, c.Head = c.Size+1, e.Hash
	return nil
}
