// Package nonce creates the challenges that an agent signs when it registers, and
// ensures that each is used once.
//
// A nonce contains its own expiry and is authenticated with a key that exists
// only in this process, so issuing nonces takes no memory, even if they are never
// used. Only spent nonces are stored, until they expire. Nonces from before a
// restart are invalid.
package nonce

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// Size is the length of a nonce in bytes; on the wire it is hex.
const Size = 32

// Layout: expiry (Unix nanoseconds), random bytes, tag over both.
const (
	randomAt = 8
	tagAt    = 16
)

// A Nonce is a decoded challenge.
type Nonce [Size]byte

// A Source creates and checks nonces. It is safe for concurrent use.
type Source struct {
	ttl time.Duration
	key [KeySize]byte

	mu    sync.Mutex
	spent map[Nonce]struct{}
}

// NewSource returns a source whose nonces are valid for ttl.
func NewSource(ttl time.Duration) *Source {
	var key [KeySize]byte
	rand.Read(key[:])
	return NewSharedSource(ttl, key)
}

// KeySize is the length of a source's key in bytes.
const KeySize = 32

// NewSharedSource is like [NewSource] with a given key: sources with one key accept
// each other's nonces. They must tell each other which nonces are spent.
func NewSharedSource(ttl time.Duration, key [KeySize]byte) *Source {
	return &Source{ttl: ttl, key: key, spent: make(map[Nonce]struct{})}
}

// New returns a new nonce in hex.
func (s *Source) New(now time.Time) string {
	var n Nonce
	binary.BigEndian.PutUint64(n[:], uint64(now.Add(s.ttl).UnixNano()))
	rand.Read(n[randomAt:tagAt])
	copy(n[tagAt:], s.tag(n))
	return hex.EncodeToString(n[:])
}

// Parse decodes a nonce of exactly 64 lower-case hex digits.
func Parse(text string) (n Nonce, ok bool) {
	if len(text) != hex.EncodedLen(Size) {
		return Nonce{}, false
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Nonce{}, false
		}
	}
	_, _ = hex.Decode(n[:], []byte(text)) // hex digits, as checked above
	return n, true
}

// Valid reports whether n was created by this source, has not expired and is
// unspent.
func (s *Source) Valid(n Nonce, now time.Time) bool {
	if !hmac.Equal(n[tagAt:], s.tag(n)) || !now.Before(n.Expiry()) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, spent := s.spent[n]
	return !spent
}

// Spend marks nonces as used.
func (s *Source) Spend(ns ...Nonce) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range ns {
		s.spent[n] = struct{}{}
	}
}

// Sweep removes expired spent nonces.
func (s *Source) Sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.spent {
		if !now.Before(n.Expiry()) {
			delete(s.spent, n)
		}
	}
}

// Len returns the number of stored spent nonces.
func (s *Source) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.spent)
}

// Expiry returns the time from which a genuine nonce is invalid.
func (n Nonce) Expiry() time.Time {
	return time.Unix(0, int64(binary.BigEndian.Uint64(n[:])))
}

func (s *Source) tag(n Nonce) []byte {
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write(n[:tagAt])
	return mac.Sum(nil)[:Size-tagAt]
}
