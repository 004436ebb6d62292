package agentwrit

import (
	"context"
	"crypto/ed25519"
	"sync"
	"time"
)

// Limits on fetching a broker's keys.
const (
	keysRefresh  = time.Hour        // age at which keys are fetched again
	keysLife     = 2 * time.Hour    // age at which they are no longer used
	keysInterval = 30 * time.Second // between fetches for unknown key IDs
	keysRetry    = time.Second      // between attempts after a failed fetch
)

// A keyring holds the keys that a broker serves. At most one fetch is in flight.
// Nobody who asks for a key that is known waits for it, and unknown key IDs, which
// anyone can invent, cause a fetch every keysInterval at most.
type keyring struct {
	client *client

	mu      sync.Mutex // never held during a fetch
	keys    Keys
	fetched time.Time // when keys arrived
	tried   time.Time // when the last fetch was started
	err     error     // result of the last fetch
	flight  chan struct{}
}

// key returns the key of that ID, or nil if the broker has none. It fails if no
// keys could be fetched, or ctx ends first.
func (r *keyring) key(ctx context.Context, kid string) (ed25519.PublicKey, error) {
	if r.client.trusted != nil {
		return r.client.trusted[kid], nil
	}
	r.mu.Lock()
	now := r.client.now()
	age := now.Sub(r.fetched)
	usable := r.keys != nil && age >= 0 && age < keysLife
	key := r.keys[kid]
	if usable && key != nil {
		if age >= keysRefresh && r.due(now, keysRetry) {
			r.fetch(ctx, now) // in the background
		}
		r.mu.Unlock()
		return key, nil
	}
	interval := keysRetry
	if usable && r.err == nil {
		interval = keysInterval
	}
	if r.flight == nil && !r.due(now, interval) {
		defer r.mu.Unlock()
		if usable {
			return nil, nil
		}
		return nil, r.err
	}
	done := r.fetch(ctx, now)
	r.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
		return nil, &Error{Op: "fetch keys", Kind: ErrTransport, Detail: "canceled", cause: ctx.Err()}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil, r.err
	}
	return r.keys[kid], nil
}

// due reports whether the last fetch was started at least interval ago.
func (r *keyring) due(now time.Time, interval time.Duration) bool {
	since := now.Sub(r.tried)
	return r.tried.IsZero() || since >= interval || since < 0 // the clock was set back
}

// fetch starts a fetch unless one is in flight, and returns a channel that is
// closed when it has ended. It does not end with ctx, because other callers may
// wait for it too. The caller holds the mutex.
func (r *keyring) fetch(ctx context.Context, now time.Time) <-chan struct{} {
	if r.flight != nil {
		return r.flight
	}
	done := make(chan struct{})
	r.flight, r.tried = done, now
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.client.timeout)
		defer cancel()
		keys, err := r.client.keys(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err == nil {
			r.keys, r.fetched = keys, r.client.now()
		}
		r.err, r.flight = err, nil
		close(done)
	}()
	return done
}
