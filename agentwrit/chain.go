package agentwrit

import (
	"crypto/ed25519"
	"fmt"
	"iter"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// A Checkpoint is the signed head of an audit log: its size and the hash of its
// last event at one moment.
type Checkpoint = wire.Checkpoint

// A ChainError reports the first event of an audit log that does not follow from
// the events before it.
type ChainError = wire.ChainError

// ErrCheckpoint is wrapped by errors about a checkpoint that is malformed, not
// signed by the expected key, or contradicted by the audit log.
var ErrCheckpoint = wire.ErrCheckpoint

// OpenCheckpoint parses a signed checkpoint and verifies that key signed it. Its
// errors wrap [ErrCheckpoint].
func OpenCheckpoint(note []byte, key ed25519.PublicKey) (Checkpoint, error) {
	return wire.OpenCheckpoint(note, key)
}

// VerifyChain recomputes the hash of every event of an audit log, starting with
// the first, and returns the number of events and the hash of the last one. It
// stops at the first error of the sequence. An event that was edited, removed,
// inserted or moved is reported as a [*ChainError].
//
// A log whose end was cut off still verifies. To detect that, pass checkpoints
// that were saved earlier, oldest first: if the log contradicts one, the error
// wraps [ErrCheckpoint].
func VerifyChain(events iter.Seq2[AuditEvent, error], saved ...Checkpoint) (size int64, head string, err error) {
	var chain wire.Chain
	head = wire.GenesisHash
	saved, err = compare(saved, 0, head)
	if err != nil {
		return 0, head, err
	}
	for e, err := range events {
		if err != nil {
			return chain.Size, head, err
		}
		if err := chain.Add(e); err != nil {
			return chain.Size, head, err
		}
		head = chain.Head
		if saved, err = compare(saved, chain.Size, head); err != nil {
			return chain.Size, head, err
		}
	}
	if len(saved) > 0 {
		return chain.Size, head, fmt.Errorf("%w: the log has %d events, but had %d on %s: its end was removed",
			ErrCheckpoint, chain.Size, saved[0].Size, utc(saved[0].Time))
	}
	return chain.Size, head, nil
}

// compare checks the saved checkpoints of the log's current size and returns
// those of larger sizes.
func compare(saved []Checkpoint, size int64, head string) ([]Checkpoint, error) {
	for len(saved) > 0 && saved[0].Size <= size {
		if saved[0].Size < size {
			return saved, fmt.Errorf("%w: checkpoints must be given oldest first", ErrCheckpoint)
		}
		if saved[0].Hash != head {
			return saved, fmt.Errorf("%w: the first %d events differ from those signed on %s: the log was rewritten",
				ErrCheckpoint, size, utc(saved[0].Time))
		}
		saved = saved[1:]
	}
	return saved, nil
}

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
