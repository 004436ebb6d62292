package agentwrit

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// outsideValidity returns ErrExpired or ErrNotYetValid if, by the local clock, a
// token that the broker refused is outside its validity period, and nil if it is
// within it or can't be read. The token's signature is not verified: the result
// explains a refusal and grants nothing.
//
// A token counts as expired a second early, because its times are whole seconds.
func (c *client) outsideValidity(token string) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims Claims
	if err != nil || json.Unmarshal(raw, &claims) != nil || claims.ExpiresAt == 0 {
		return nil
	}
	now := c.now()
	switch {
	case now.Add(time.Second).Unix() >= claims.ExpiresAt:
		return ErrExpired
	case now.Unix() < claims.NotBefore:
		return ErrNotYetValid
	}
	return nil
}
