// Package random makes unpredictable identifiers and secrets.
package random

import (
	"crypto/rand"
	"encoding/hex"
)

// Hex returns n cryptographically random bytes as 2n lower-case hex digits.
func Hex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never returns an error (crypto/rand, since Go 1.24)
	return hex.EncodeToString(b)
}
