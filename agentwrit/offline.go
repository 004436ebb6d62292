package agentwrit

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// How long the keys that were fetched are used, and how soon a token with an
// unknown key ID may have them fetched again.
const (
	keysLife  = time.Hour
	keysAgain = 30 * time.Second
)

// OfflineVerifier verifies tokens with the broker's public keys, which it
// fetches once in a while, without asking about each token.
//
// It can't know of revocations: a token that was released, renewed or revoked
// passes until it expires. It is for services that accept this for the sake of
// not depending on the broker at each call. Safe for concurrent use.
type OfflineVerifier struct {
	client *client

	mu      sync.Mutex
	keys    map[string]ed25519.PublicKey
	fetched time.Time
}

var _ TokenValidator = (*OfflineVerifier)(nil)

// NewOfflineVerifier makes a verifier for the tokens of the broker at an
// address. It sends nothing yet.
func NewOfflineVerifier(brokerURL string, opts ...Option) (*OfflineVerifier, error) {
	c, err := newClient(brokerURL, opts)
	if err != nil {
		return nil, err
	}
	return &OfflineVerifier{client: c}, nil
}

// Validate verifies a token's signature, its form, its time, and each hop of
// its delegation chain. It fails with [ErrTokenInvalid], or with another error
// when the broker's keys can't be had.
func (v *OfflineVerifier) Validate(ctx context.Context, token string) (*Claims, error) {
	header, rest, ok := strings.Cut(token, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	kid := keyID(header)
	if !ok || !ok2 || kid == "" {
		return nil, invalidToken()
	}
	key, err := v.key(ctx, kid)
	if err != nil {
		return nil, err
	}
	sig, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if key == nil || err != nil || !ed25519.Verify(key, []byte(header+"."+payload), sig) || strings.ContainsAny(token, "\r\n") {
		return nil, invalidToken()
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(payload)
	var claims Claims
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return nil, invalidToken()
	}
	now := v.client.now().Unix()
	if now < claims.NotBefore || now >= claims.ExpiresAt || !chainSigned(&claims, key) {
		return nil, invalidToken()
	}
	return &claims, nil
}

func invalidToken() error { return &Error{Op: "verify token", Kind: ErrTokenInvalid} }

// keyID reads a header that names EdDSA and a key, "" for any other.
func keyID(header string) string {
	var h struct {
		Algorithm string `json:"alg"`
		Type      string `json:"typ"`
		KeyID     string `json:"kid"`
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(header)
	if err != nil || json.Unmarshal(raw, &h) != nil || h.Algorithm != "EdDSA" || h.Type != "JWT" {
		return ""
	}
	return h.KeyID
}

// chainSigned checks that the broker signed each hop, and that the claims name
// this chain and no other.
func chainSigned(c *Claims, key ed25519.PublicKey) bool {
	if len(c.DelegationChain) == 0 {
		return c.ChainHash == ""
	}
	for _, hop := range c.DelegationChain {
		sig, err := hex.DecodeString(hop.Signature)
		if err != nil || !ed25519.Verify(key, hop.SigningInput(), sig) {
			return false
		}
	}
	return c.ChainHash == wire.HashChain(c.DelegationChain)
}

// key finds a key by its ID; nil means that the broker has none of that ID. One
// caller fetches while the others wait, for the client's timeout at the most.
func (v *OfflineVerifier) key(ctx context.Context, kid string) (ed25519.PublicKey, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	age := v.client.now().Sub(v.fetched)
	key := v.keys[kid]
	if v.keys != nil && (key != nil && age < keysLife || key == nil && age < keysAgain) {
		return key, nil
	}
	keys, err := v.client.keys(ctx)
	if err != nil {
		return nil, err
	}
	v.keys, v.fetched = keys, v.client.now()
	return keys[kid], nil
}
