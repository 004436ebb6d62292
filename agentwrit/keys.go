package agentwrit

import (
	"context"
	"crypto/ed25519"
	"encoding/json"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// Keys are a broker's public Ed25519 keys by key ID. With them it signs tokens,
// delegations and checkpoints. A key ID is the key's RFC 7638 thumbprint.
type Keys map[string]ed25519.PublicKey

// ParseKeys reads a JSON Web Key Set (RFC 7517), the format in which a broker
// serves its keys. It skips keys of other types, and keys whose ID is not their
// thumbprint, and fails with [ErrCrypto] if none is left.
func ParseKeys(jwks []byte) (Keys, error) {
	var set wire.JWKSet
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, &Error{Op: "parse keys", Kind: ErrCrypto, Detail: "not a JSON Web Key Set"}
	}
	keys := usableKeys(set)
	if len(keys) == 0 {
		return nil, &Error{Op: "parse keys", Kind: ErrCrypto, Detail: "the key set has no usable Ed25519 key"}
	}
	return keys, nil
}

// MarshalJSON encodes k as a JSON Web Key Set, which [ParseKeys] reads.
func (k Keys) MarshalJSON() ([]byte, error) {
	set := wire.JWKSet{Keys: []wire.JWK{}}
	for _, key := range k {
		set.Keys = append(set.Keys, wire.NewJWK(key))
	}
	return json.Marshal(set)
}

// OpenCheckpoint parses a signed checkpoint and verifies that one of the keys
// signed it. Its errors wrap [ErrCheckpoint].
func (k Keys) OpenCheckpoint(note []byte) (Checkpoint, error) {
	err := ErrCheckpoint
	for _, key := range k {
		var c Checkpoint
		if c, err = wire.OpenCheckpoint(note, key); err == nil {
			return c, nil
		}
	}
	return Checkpoint{}, err
}

func usableKeys(set wire.JWKSet) Keys {
	keys := make(Keys)
	for _, jwk := range set.Keys {
		if key, err := jwk.PublicKey(); err == nil {
			keys[jwk.KeyID] = key
		}
	}
	return keys
}

// keys returns the trusted keys, or fetches those that the broker serves.
func (c *client) keys(ctx context.Context) (Keys, error) {
	if c.trusted != nil {
		return c.trusted, nil
	}
	var set wire.JWKSet
	if err := c.do(ctx, call{op: "fetch keys", method: "GET", path: "/v1/keys", out: &set, safe: true, optional: true}); err != nil {
		return nil, err
	}
	keys := usableKeys(set)
	if len(keys) == 0 {
		return nil, &Error{Op: "fetch keys", Kind: ErrProtocol, Detail: "the broker serves no usable Ed25519 key"}
	}
	return keys, nil
}

// checkpoint fetches the signed head of the audit log and verifies its signature.
func (c *client) checkpoint(ctx context.Context) (note []byte, head Checkpoint, err error) {
	keys, err := c.keys(ctx)
	if err != nil {
		return nil, head, err
	}
	if err := c.do(ctx, call{op: "fetch checkpoint", method: "GET", path: "/v1/audit/checkpoint",
		media: "text/plain", out: &note, safe: true, optional: true}); err != nil {
		return nil, head, err
	}
	head, err = keys.OpenCheckpoint(note)
	if err != nil {
		return nil, head, &Error{Op: "fetch checkpoint", Kind: ErrProtocol, Detail: err.Error(), cause: err}
	}
	return note, head, nil
}
