// Package token signs and verifies the broker's access tokens: compact JWTs with
// one Ed25519 key (docs/protocol.md, "Common rules").
//
// It does not use a JWT library, because the broker only reads tokens that it
// wrote itself and can be stricter than a general reader: the header must equal,
// byte for byte, the header that this key writes. No other algorithm or key can
// be named, and each token has exactly one encoding.
//
// The package does not decide whether a token is expired or revoked. The broker
// decides that at each use.
package token

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// ErrInvalid is the error for a token that this key did not sign.
var ErrInvalid = errors.New("not a token of this broker")

// Signer signs and reads tokens. Safe for concurrent use.
type Signer struct {
	private ed25519.PrivateKey
	public  ed25519.PublicKey
	keyID   string
	prefix  string // encoded header and the dot after it
	seen    cache
}

// NewSigner returns a signer with the given key.
func NewSigner(key ed25519.PrivateKey) *Signer {
	public := key.Public().(ed25519.PublicKey)
	s := &Signer{private: key, public: public, keyID: wire.Thumbprint(public)}
	header := `{"alg":"EdDSA","typ":"JWT","kid":"` + s.keyID + `"}`
	s.prefix = encode([]byte(header)) + "."
	return s
}

// PublicKey returns the key that verifies tokens, delegation hops and checkpoints.
func (s *Signer) PublicKey() ed25519.PublicKey { return s.public }

// KeyID returns the key's thumbprint, the kid of its tokens.
func (s *Signer) KeyID() string { return s.keyID }

// SignBytes signs a delegation hop.
func (s *Signer) SignBytes(message []byte) []byte { return ed25519.Sign(s.private, message) }

// SignCheckpoint signs the head of the audit log.
func (s *Signer) SignCheckpoint(c wire.Checkpoint) ([]byte, error) { return c.Sign(s.private) }

// Sign returns claims as a signed token.
func (s *Signer) Sign(c *wire.Claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	signed := s.prefix + encode(payload)
	return signed + "." + encode(ed25519.Sign(s.private, []byte(signed))), nil
}

// Verify returns the claims of a token that this key signed. It accepts only the
// exact encoding that was signed. The claims are shared between callers and must
// not be modified.
func (s *Signer) Verify(raw string) (*wire.Claims, error) {
	if c := s.seen.get(raw); c != nil {
		return c, nil
	}
	rest, ok := strings.CutPrefix(raw, s.prefix)
	if !ok {
		return nil, ErrInvalid
	}
	payload64, sig64, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, ErrInvalid
	}
	sig, ok := decode(sig64)
	if !ok || len(sig) != ed25519.SignatureSize {
		return nil, ErrInvalid
	}
	signed := raw[:len(s.prefix)+len(payload64)]
	if !ed25519.Verify(s.public, []byte(signed), sig) {
		return nil, ErrInvalid
	}
	payload, ok := decode(payload64)
	if !ok {
		return nil, ErrInvalid
	}
	c := new(wire.Claims)
	if err := json.Unmarshal(payload, c); err != nil {
		return nil, ErrInvalid
	}
	s.seen.put(raw, c)
	return c, nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decode accepts only canonical base64url: Go's decoders, even the strict ones,
// ignore line breaks.
func decode(s string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || encode(b) != s {
		return nil, false
	}
	return b, true
}
