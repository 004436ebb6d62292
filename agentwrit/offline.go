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

const (
	keysLife  = time.Hour        // how long fetched keys are used
	keysAgain = 30 * time.Second // minimum time before an unknown key ID causes another fetch
)

// An OfflineVerifier verifies tokens with the broker's public keys, which it
// fetches now and then, instead of asking the broker about each token.
//
// It does not notice revocations: a token that was released, renewed or revoked
// is accepted until it expires. Use it for services that must keep working when
// the broker does not respond. An OfflineVerifier is safe for concurrent use.
type OfflineVerifier struct {
	client *client

	mu      sync.Mutex
	keys    Keys
	fetched time.Time
}

var _ TokenValidator = (*OfflineVerifier)(nil)

// NewOfflineVerifier returns a verifier for tokens of the broker at brokerURL. It
// sends nothing yet.
func NewOfflineVerifier(brokerURL string, opts ...Option) (*OfflineVerifier, error) {
	c, err := newClient(brokerURL, opts)
	if err != nil {
		return nil, err
	}
	return &OfflineVerifier{client: c}, nil
}

// Validate verifies a token's form, signature and validity period, and the
// signature of each delegation in its chain. It fails with [ErrTokenInvalid] if
// the token is not valid, and with another error if the broker's keys can't be
// fetched.
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

// keyID returns the key ID of a token header, or "" unless the header names
// EdDSA as the algorithm and JWT as the type.
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

// chainSigned reports whether the broker signed each delegation of the chain, and
// whether the claims' chain hash is that of the chain.
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

// key returns the broker's key of that ID, or nil if it has none. One caller
// fetches the keys while the others wait.
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
