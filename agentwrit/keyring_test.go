package agentwrit_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// A keyServer serves a mint's key, and can be made to fail or to hang.
type keyServer struct {
	*mint
	mu      sync.Mutex
	offset  time.Duration
	fetches atomic.Int32
	fail    atomic.Bool
	hang    atomic.Pointer[chan struct{}]
}

func newKeyServer(t *testing.T) (*keyServer, *agentwrit.OfflineVerifier) {
	s := &keyServer{mint: newMint(t)}
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		s.fetches.Add(1)
		if c := s.hang.Load(); c != nil {
			select {
			case <-*c:
			case <-r.Context().Done():
				return
			}
		}
		if s.fail.Load() {
			problemDoc(400, "invalid_request", "no")(w, r) // not retried within one fetch
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(wire.JWKSet{Keys: []wire.JWK{wire.NewJWK(s.public())}})
	})
	v, err := agentwrit.NewOfflineVerifier(url, agentwrit.WithClock(s.now))
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func (s *keyServer) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mint.now.Add(s.offset)
}

func (s *keyServer) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

// good returns a token that is valid for a day.
func (s *keyServer) good(t *testing.T) string {
	c := s.claims()
	c.ExpiresAt += 24 * 3600
	return s.token(t, s.header(), c)
}

func (s *keyServer) unknown(t *testing.T) string {
	h := s.header()
	h["kid"] = wire.Thumbprint(testKey(2).Public().(ed25519.PublicKey))
	return s.token(t, h, s.claims())
}

func (s *keyServer) wantFetches(t *testing.T, what string, want int32) {
	t.Helper()
	if got := s.fetches.Load(); got != want {
		t.Errorf("%s: %d fetches, want %d", what, got, want)
	}
}

func TestKeysAreFetchedRarely(t *testing.T) {
	s, v := newKeyServer(t)
	valid := func(what, token string, want bool) {
		t.Helper()
		if _, err := v.Validate(t.Context(), token); (err == nil) != want || err != nil && !errors.Is(err, agentwrit.ErrTokenInvalid) {
			t.Errorf("%s: %v, want valid %v", what, err, want)
		}
	}
	valid("first token", s.good(t), true)
	valid("second token", s.good(t), true)
	s.wantFetches(t, "two good tokens", 1)
	for range 20 {
		valid("unknown key", s.unknown(t), false)
	}
	s.wantFetches(t, "unknown keys at once", 1)
	s.advance(29 * time.Second)
	valid("unknown key", s.unknown(t), false)
	s.wantFetches(t, "unknown key after 29 s", 1)
	s.advance(time.Second)
	for range 20 {
		valid("unknown key", s.unknown(t), false)
	}
	s.wantFetches(t, "unknown keys after 30 s", 2)

	s.fail.Store(true)
	s.advance(time.Hour)
	valid("known key after an hour, broker fails", s.good(t), true)
	waitFor(t, func() bool { return s.fetches.Load() == 3 }) // refreshed in the background
	s.advance(2 * time.Hour)
	waitFor(t, func() bool { // the first one may still wait for the background fetch
		if _, err := v.Validate(t.Context(), s.good(t)); err == nil || errors.Is(err, agentwrit.ErrTokenInvalid) {
			t.Errorf("keys older than two hours: %v, want an error other than ErrTokenInvalid", err)
		}
		return s.fetches.Load() > 3
	})
	s.wantFetches(t, "keys older than two hours", 4)
	for range 20 {
		if _, err := v.Validate(t.Context(), s.good(t)); err == nil {
			t.Error("token accepted with keys older than two hours")
		}
	}
	s.wantFetches(t, "again at once after a failure", 4)
	s.fail.Store(false)
	s.advance(time.Second)
	valid("the broker is back", s.good(t), true)
}

// A new key of the broker is found, and the old one is dropped, within the hour.
func TestKeysAreRefreshed(t *testing.T) {
	s, v := newKeyServer(t)
	old := s.good(t)
	if _, err := v.Validate(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	s.advance(31 * time.Second)
	s.key = testKey(3)
	if _, err := v.Validate(t.Context(), s.good(t)); err != nil {
		t.Errorf("token of a new key: %v", err)
	}
	if _, err := v.Validate(t.Context(), old); !errors.Is(err, agentwrit.ErrTokenInvalid) {
		t.Errorf("token of a withdrawn key: %v, want ErrTokenInvalid", err)
	}
}

// With a clock that was set back the age of the keys is unknown: they are fetched
// again.
func TestKeysAreFetchedAgainWhenTheClockIsSetBack(t *testing.T) {
	s, v := newKeyServer(t)
	c := s.claims()
	c.NotBefore -= 7200
	token := s.token(t, s.header(), c)
	for i, back := range []time.Duration{0, -time.Hour} {
		s.advance(back)
		if _, err := v.Validate(t.Context(), token); err != nil {
			t.Errorf("%s: %v", back, err)
		}
		s.wantFetches(t, back.String(), int32(i+1))
	}
}

// Tokens with invented key IDs delay nobody else, and their callers can give up.
func TestUnknownKeysDelayNobody(t *testing.T) {
	s, v := newKeyServer(t)
	if _, err := v.Validate(t.Context(), s.good(t)); err != nil {
		t.Fatal(err)
	}
	s.advance(time.Minute)
	release := make(chan struct{})
	s.hang.Store(&release)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := v.Validate(ctx, s.unknown(t)); !errors.Is(err, context.Canceled) {
				t.Errorf("unknown key: %v, want context.Canceled", err)
			}
		})
	}
	waitFor(t, func() bool { return s.fetches.Load() == 2 })
	began := time.Now()
	for range 100 {
		if _, err := v.Validate(t.Context(), s.good(t)); err != nil {
			t.Errorf("known key: %v", err)
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("100 good tokens took %s while a fetch was in flight", took)
	}
	cancel()
	wg.Wait()
	close(release)
	s.wantFetches(t, "three unknown keys at once", 2)
}

// The fetch survives the caller that started it.
func TestKeyFetchOutlivesItsCaller(t *testing.T) {
	s, v := newKeyServer(t)
	release := make(chan struct{})
	s.hang.Store(&release)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := v.Validate(ctx, s.good(t)); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, agentwrit.ErrTokenInvalid) {
		t.Errorf("caller whose context ends: %v, want context.DeadlineExceeded", err)
	}
	close(release)
	if _, err := v.Validate(t.Context(), s.good(t)); err != nil {
		t.Errorf("next caller: %v", err)
	}
	s.wantFetches(t, "two callers", 1)
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited for half a minute in vain")
		}
	}
}
