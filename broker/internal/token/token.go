// Package token signs and reads the broker's access tokens: compact JWTs with
// one Ed25519 key (WIRE.md, "Common to all").
//
// It is written by hand where a JWT library would do, because the broker only
// ever reads what it wrote itself, and can so be stricter than a reader of
// anyone's tokens: the header must be, byte for byte, the one header that this
// key writes. No other algorithm or key can even be named, and each token has
// exactly one spelling.
//
// Whether a token's time has come or gone, and whether it was revoked, is not
// decided here but by the broker, at each use.
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

// ErrInvalid is the error of every token that this key did not write.
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

// PublicKey is the key that tokens, delegation hops and checkpoints verify with.
func (s *Signer) PublicKey() ed25519.PublicKey { return s.public }

// KeyID is the key's thumbprint, the kid of its tokens.
func (s *Signer) KeyID() string { return s.keyID }

// SignBytes signs a message that is not a token: a delegation hop.
func (s *Signer) SignBytes(message []byte) []byte { return ed25519.Sign(s.private, message) }

// SignCheckpoint signs the head of the audit trail.
func (s *Signer) SignCheckpoint(c wire.Checkpoint) ([]byte, error) { return c.Sign(s.private) }

// Sign writes claims as a token.
func (s *Signer) Sign(c *wire.Claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	signed := s.prefix + encode(payload)
	return signed + "." + encode(ed25519.Sign(s.private, []byte(signed))), nil
}

// Verify reads a token that this key signed, in the spelling it was signed in.
// The claims are shared between callers: they are not to be changed.
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

// decode accepts the canonical spelling only: Go's decoders, the strict ones
// too, pass over line breaks.
func decode(s string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || encode(b) != s {
		return nil, false
	}
	return b, true
}
