package agentwrit

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// DefaultLeeway is how far the clocks of broker and verifier may differ before an
// [OfflineVerifier] refuses new tokens; see [WithLeeway].
const DefaultLeeway = 5 * time.Second

// An OfflineVerifier verifies tokens with the broker's public keys instead of
// asking the broker about each token. It fetches the keys when it needs the first
// and refreshes them every hour; a key that the broker withdraws is accepted for
// two hours at most. Unless [WithKeys] pins them, the keys are as trustworthy as
// the connection to the broker.
//
// It does not notice revocations: a token that was released, renewed or revoked
// is accepted until it expires. Use it for services that must keep working when
// the broker does not respond. An OfflineVerifier is safe for concurrent use.
type OfflineVerifier struct {
	client *client
	keys   keyring
}

var _ TokenValidator = (*OfflineVerifier)(nil)

// NewOfflineVerifier returns a verifier for tokens of the broker at brokerURL. It
// sends nothing yet.
func NewOfflineVerifier(brokerURL string, opts ...Option) (*OfflineVerifier, error) {
	c, err := newClient(brokerURL, opts)
	if err != nil {
		return nil, err
	}
	return &OfflineVerifier{client: c, keys: keyring{client: c}}, nil
}

// Validate verifies a token's form, signature and validity period, and the
// signature of each delegation in its chain. It fails with [ErrTokenInvalid] if
// the token is not valid, and with another error if the broker's keys can't be
// fetched, such as [ErrNotServed] if the broker serves none.
//
// Broker and verifier run on different hosts, whose clocks differ. A token whose
// validity starts later than the local time is accepted if the difference is at
// most the leeway. Expiry has no leeway: a token is refused from the second at
// which it expires by the local clock.
func (v *OfflineVerifier) Validate(ctx context.Context, token string) (*Claims, error) {
	header, rest, ok := strings.Cut(token, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	kid := keyID(header)
	if !ok || !ok2 || kid == "" {
		return nil, invalidToken()
	}
	key, err := v.keys.key(ctx, kid)
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
	now := v.client.now()
	switch {
	case !chainSigned(&claims, key):
		return nil, invalidToken()
	case now.Add(v.client.leeway).Unix() < claims.NotBefore:
		return nil, &Error{Op: "verify token", Kind: ErrTokenInvalid, cause: ErrNotYetValid}
	case now.Unix() >= claims.ExpiresAt:
		return nil, &Error{Op: "verify token", Kind: ErrTokenInvalid, cause: ErrExpired}
	}
	if err := v.client.checkClaims(&claims); err != nil {
		return nil, err
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
