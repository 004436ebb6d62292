// Package limit holds back clients that ask too often, one token bucket for
// each key, in bounded memory.
//
// A key whose bucket is full again is the same as a key never seen, and is
// dropped. When more keys are active than the limiter may hold, new ones are
// refused: an attacker who brings many keys can't make it forget the others.
package limit

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxKeys bounds the memory of a limiter to a few megabytes.
const maxKeys = 1 << 16

// Key is who is limited: an address, and for some limits the client it asks
// for. Client must be short.
type Key struct {
	Addr   netip.Addr
	Client string
}

// Limiter is a set of token buckets. Safe for concurrent use.
type Limiter struct {
	every rate.Limit
	burst int

	mu      sync.Mutex
	buckets map[Key]*bucket
	swept   time.Time
}

type bucket struct {
	rate    *rate.Limiter
	refused bool // since it last let something through
}

// New returns a limiter that refills perSecond tokens a second up to burst.
func New(perSecond float64, burst int) *Limiter {
	return &Limiter{every: rate.Limit(perSecond), burst: burst, buckets: make(map[Key]*bucket)}
}

// Allow takes a token of the key. When there is none it reports false, and
// whether this is the first refusal since the key was last allowed: the one
// worth recording.
func (l *Limiter) Allow(key Key, now time.Time) (ok, first bool) {
	key.Addr = subscriber(key.Addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= maxKeys && now.Sub(l.swept) > time.Second {
			l.sweep(now)
		}
		if len(l.buckets) >= maxKeys {
			return false, false
		}
		b = &bucket{rate: rate.NewLimiter(l.every, l.burst)}
		l.buckets[key] = b
	}
	if b.rate.AllowN(now, 1) {
		b.refused = false
		return true, false
	}
	first = !b.refused
	b.refused = true
	return false, first
}

// Exhausted reports whether the key has no token left, without taking one.
func (l *Limiter) Exhausted(key Key, now time.Time) bool {
	key.Addr = subscriber(key.Addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	return b != nil && b.rate.TokensAt(now) < 1
}

// Sweep drops the keys that have all their tokens.
func (l *Limiter) Sweep(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
}

func (l *Limiter) sweep(now time.Time) {
	l.swept = now
	for key, b := range l.buckets {
		if b.rate.TokensAt(now) >= float64(l.burst) {
			delete(l.buckets, key)
		}
	}
}

// Len is the number of keys that are held.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.buckets)
}

// subscriber is the part of an address that one client can't choose freely: an
// IPv6 client usually has a /64 to pick addresses from.
func subscriber(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
