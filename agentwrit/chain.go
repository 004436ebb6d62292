package agentwrit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// The audit trail's types.
type (
	Checkpoint = wire.Checkpoint // a signed head of the trail
	ChainError = wire.ChainError // where a trail stops being the one that was written
)

// ErrCheckpoint is in every error about a checkpoint that is not one, that the
// key did not sign, or that the trail does not bear out.
var ErrCheckpoint = wire.ErrCheckpoint

// VerifyChain recomputes the hash of every event of a trail, from its first
// one, and returns the head that it reaches. An edit, a removal, an insertion
// or a swap is a [*ChainError]; an error of the sequence ends it.
//
// What was cut from the end leaves a chain that verifies: compare the head with
// checkpoints kept from earlier, which must be given oldest first. A checkpoint
// that the trail does not bear out is an error that wraps [ErrCheckpoint].
func VerifyChain(events iter.Seq2[AuditEvent, error], kept ...Checkpoint) (size int64, head string, err error) {
	var chain wire.Chain
	head = wire.GenesisHash
	kept, err = borneOut(kept, 0, head)
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
		if kept, err = borneOut(kept, chain.Size, head); err != nil {
			return chain.Size, head, err
		}
	}
	if len(kept) > 0 {
		return chain.Size, head, fmt.Errorf("%w: the trail ends after %d events, and had %d on %s: its end was cut",
			ErrCheckpoint, chain.Size, kept[0].Size, kept[0].Time.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return chain.Size, head, nil
}

// borneOut checks the checkpoints of a trail's size so far, and returns those
// of greater ones.
func borneOut(kept []Checkpoint, size int64, head string) ([]Checkpoint, error) {
	for len(kept) > 0 && kept[0].Size <= size {
		if kept[0].Size < size || kept[0].Hash != head {
			return kept, fmt.Errorf("%w: after %d events the trail is not the one that was signed on %s: it was rewritten",
				ErrCheckpoint, kept[0].Size, kept[0].Time.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
		kept = kept[1:]
	}
	return kept, nil
}

// OpenCheckpoint reads a signed checkpoint and checks that key signed it.
func OpenCheckpoint(note []byte, key ed25519.PublicKey) (Checkpoint, error) {
	return wire.OpenCheckpoint(note, key)
}

// Checkpoint asks the broker for the signed head of its audit trail, as it is
// to be kept, and reads it. It needs a broker that serves GET
// /v1/audit/checkpoint; others answer with [ErrNotFound].
func (a *Admin) Checkpoint(ctx context.Context) (note []byte, c Checkpoint, err error) {
	keys, err := a.client.keys(ctx)
	if err != nil {
		return nil, c, err
	}
	if err := a.session.do(ctx, call{op: "checkpoint", method: "GET", path: "/v1/audit/checkpoint",
		media: "text/plain", out: &note, safe: true}); err != nil {
		return nil, c, err
	}
	for _, key := range keys {
		if c, err = wire.OpenCheckpoint(note, key); err == nil {
			return note, c, nil
		}
	}
	return nil, c, &Error{Op: "checkpoint", Kind: ErrProtocol, Detail: "the checkpoint is not signed by the broker's key", cause: err}
}

// keys asks for the broker's public keys by key ID.
func (c *client) keys(ctx context.Context) (map[string]ed25519.PublicKey, error) {
	var set wire.JWKSet
	if err := c.do(ctx, call{op: "broker's keys", method: "GET", path: "/v1/keys", out: &set, safe: true}); err != nil {
		return nil, err
	}
	keys := make(map[string]ed25519.PublicKey)
	for _, jwk := range set.Keys {
		if key, err := jwk.PublicKey(); err == nil {
			keys[jwk.KeyID] = key
		}
	}
	if len(keys) == 0 {
		return nil, &Error{Op: "broker's keys", Kind: ErrProtocol, cause: errors.New("no usable key"),
			Detail: "the broker has no Ed25519 key to verify with"}
	}
	return keys, nil
}
