// Package limit limits the request rate of clients, with one token bucket for
// each key, in bounded memory.
//
// A key whose bucket is full again is equivalent to an unknown key and is
// removed. While the limiter holds its maximum number of active keys, new keys
// are refused: an attacker with many keys can't evict the others.
package limit

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/devonartis/medassist-go/internal/clientaddr"
)

// maxKeys limits the memory of a limiter to a few megabytes.
const maxKeys = 1 << 16

// A Key identifies a limited client: an address, and for some limits a client ID
// too. Client must be short.
type Key struct {
	Addr   netip.Addr
	Client string
}

// A Limiter is a set of token buckets. It is safe for concurrent use.
type Limiter struct {
	every rate.Limit
	burst int

	mu      sync.Mutex
	buckets map[Key]*rate.Limiter
	swept   time.Time
}

// New returns a limiter whose buckets hold burst tokens and refill with
// perSecond tokens a second.
func New(perSecond float64, burst int) *Limiter {
	return &Limiter{every: rate.Limit(perSecond), burst: burst, buckets: make(map[Key]*rate.Limiter)}
}

// Allow takes a token from the key's bucket, or reports false if there is none.
func (l *Limiter) Allow(key Key, now time.Time) bool { return l.AllowN(key, now, 1) }

// AllowN takes n tokens from the key's bucket, or none if there are fewer.
func (l *Limiter) AllowN(key Key, now time.Time, n int) bool {
	key.Addr = clientaddr.Network(key.Addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= maxKeys && now.Sub(l.swept) > time.Second {
			l.sweep(now)
		}
		if len(l.buckets) >= maxKeys {
			return false
		}
		b = rate.NewLimiter(l.every, l.burst)
		l.buckets[key] = b
	}
	return b.AllowN(now, n)
}

// Sweep removes the keys whose buckets are full.
func (l *Limiter) Sweep(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
}

func (l *Limiter) sweep(now time.Time) {
	l.swept = now
	for key, b := range l.buckets {
		if b.TokensAt(now) >= float64(l.burst) {
			delete(l.buckets, key)
		}
	}
}

// Len returns the number of active keys.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.buckets)
}
