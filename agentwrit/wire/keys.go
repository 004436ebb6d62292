package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// A JWKSet is the response of GET /v1/keys (RFC 7517): the keys with which the
// broker signs tokens, delegations and checkpoints.
type JWKSet struct {
	Keys []JWK `json:"keys"`
}

// A JWK is an Ed25519 public key (RFC 8037).
type JWK struct {
	KeyType   string `json:"kty"` // "OKP"
	Curve     string `json:"crv"` // "Ed25519"
	X         string `json:"x"`   // base64url, 32 bytes
	KeyID     string `json:"kid"` // RFC 7638 thumbprint
	Use       string `json:"use,omitempty"`
	Algorithm string `json:"alg,omitempty"`
}

// ErrKey is wrapped by every error of [JWK.PublicKey].
var ErrKey = errors.New("not a usable Ed25519 key")

// NewJWK returns the JWK of a public key, with the key's thumbprint as key ID.
func NewJWK(key ed25519.PublicKey) JWK {
	return JWK{
		KeyType:   "OKP",
		Curve:     "Ed25519",
		X:         base64.RawURLEncoding.EncodeToString(key),
		KeyID:     Thumbprint(key),
		Use:       "sig",
		Algorithm: "EdDSA",
	}
}

// PublicKey returns the key that k describes. It fails if k is not an Ed25519
// key, or if its key ID is not the key's thumbprint.
func (k JWK) PublicKey() (ed25519.PublicKey, error) {
	if k.KeyType != "OKP" || k.Curve != "Ed25519" {
		return nil, fmt.Errorf("%w: kty %q, crv %q", ErrKey, k.KeyType, k.Curve)
	}
	key, err := base64.RawURLEncoding.Strict().DecodeString(k.X)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: x is not 32 bytes in base64url", ErrKey)
	}
	if k.KeyID != Thumbprint(key) {
		return nil, fmt.Errorf("%w: kid is not its thumbprint", ErrKey)
	}
	return key, nil
}

// Thumbprint returns a key's RFC 7638 SHA-256 thumbprint in base64url, which is
// the key ID of a broker's key.
func Thumbprint(key ed25519.PublicKey) string {
	// RFC 7638 section 3.2: required members only, in lexical order, no spaces.
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` +
		base64.RawURLEncoding.EncodeToString(key) + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
