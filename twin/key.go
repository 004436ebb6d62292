package twin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"sync/atomic"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/internal/random"
	"github.com/devonartis/medassist-go/tools"
)

// KeyName is what a log can say about a request with the shared key.
const KeyName = "shared API key"

// A sharedKey is how most teams do it: one secret for every agent, with every scope,
// for every patient, until someone rotates it. It exists only during a comparison.
type sharedKey struct {
	reveal func() string // a function, so that no logger or printer shows the secret
	hash   [sha256.Size]byte
	ended  atomic.Bool
}

var _ agentwrit.TokenValidator = (*sharedKey)(nil)

func newSharedKey() *sharedKey {
	secret := "demo-key-" + random.Hex(24)
	return &sharedKey{reveal: func() string { return secret }, hash: sha256.Sum256([]byte(secret))}
}

// preview returns the end of the key, which is all that is ever shown of it.
func (k *sharedKey) preview() string {
	secret := k.reveal()
	return "demo-key-…" + secret[len(secret)-4:]
}

// end makes the key invalid.
func (k *sharedKey) end() { k.ended.Store(true) }

// Validate accepts the key alone, and for everything: a shared key has no scopes of
// its own, so it holds all that the application may do.
func (k *sharedKey) Validate(_ context.Context, token string) (*agentwrit.Claims, error) {
	given := sha256.Sum256([]byte(token))
	if same := subtle.ConstantTimeCompare(given[:], k.hash[:]) == 1; !same || k.ended.Load() {
		return nil, agentwrit.ErrTokenInvalid
	}
	return &agentwrit.Claims{Subject: KeyName, Scope: tools.Ceiling()}, nil
}
