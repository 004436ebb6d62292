package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
)

// Claims are the payload of a token (docs/protocol.md, "Common rules"). Times are
// Unix seconds.
type Claims struct {
	Issuer          string          `json:"iss"`
	Subject         string          `json:"sub"` // "admin", "app:<app_id>" or a SPIFFE ID
	Audience        Audience        `json:"aud,omitempty"`
	ExpiresAt       int64           `json:"exp"`
	NotBefore       int64           `json:"nbf"`
	IssuedAt        int64           `json:"iat"`
	ID              string          `json:"jti"` // 32 hex digits
	Scope           []string        `json:"scope"`
	TaskID          string          `json:"task_id,omitempty"`
	OrchID          string          `json:"orch_id,omitempty"`
	SessionID       string          `json:"sid,omitempty"`
	DelegationChain []DelegationHop `json:"delegation_chain,omitempty"`
	ChainHash       string          `json:"chain_hash,omitempty"`
}

// Audience is the "aud" claim. RFC 7519, section 4.1.3, allows a string or an
// array of strings; it is encoded as an array.
type Audience []string

// UnmarshalJSON accepts a string or an array of strings.
func (a *Audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = nil
		if one != "" {
			*a = Audience{one}
		}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return err
	}
	*a = many
	return nil
}

// A DelegationHop is one link of a delegation chain: the delegator, the scopes
// that it held, the time, and the broker's signature over the three.
type DelegationHop struct {
	Agent       string   `json:"agent"` // SPIFFE ID of the delegator
	Scope       []string `json:"scope"`
	DelegatedAt string   `json:"delegated_at"` // RFC 3339 with nanoseconds
	Signature   string   `json:"signature"`    // hex, Ed25519 over SigningInput
}

// SigningInput returns the bytes that the broker signs for a hop:
// agent|scope,scope|delegated_at.
func (h DelegationHop) SigningInput() []byte {
	return []byte(h.Agent + "|" + strings.Join(h.Scope, ",") + "|" + h.DelegatedAt)
}

// HashChain returns the chain_hash claim for a chain: the hex SHA-256 of its JSON
// encoding.
func HashChain(chain []DelegationHop) string {
	b, err := json.Marshal(chain)
	if err != nil {
		panic("wire: encode delegation chain: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
