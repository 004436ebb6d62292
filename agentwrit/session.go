package agentwrit

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// A session is a login shared by many callers. Brokers limit logins, so at most
// one is in flight, and its token is replaced before it expires.
type session struct {
	client *client
	op     string
	login  func() call // returns the login request, which holds a secret

	mu      sync.Mutex
	token   secret
	renewAt time.Time
	flight  *flight // the login in flight, nil if none
	limited *Error  // the last login's refusal if it was rate limited, nil otherwise
	closed  bool
}

// A flight is a login that callers wait for.
type flight struct {
	done  chan struct{} // closed when the login has ended
	token secret
	err   error
}

// bearer returns the session's token and logs in if there is none. It returns
// early if ctx ends; the login then continues for other callers.
func (s *session) bearer(ctx context.Context) (string, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return "", s.errClosed()
	}
	if s.token != nil && s.client.now().Before(s.renewAt) {
		defer s.mu.Unlock()
		return s.token.reveal(), nil
	}
	if wait := s.limitedFor(); wait > 0 {
		e := *s.limited
		e.RetryAfter = wait
		s.mu.Unlock()
		return "", &e
	}
	f := s.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		s.flight = f
		go s.run(context.WithoutCancel(ctx), f)
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.token.reveal(), f.err
	case <-ctx.Done():
		return "", &Error{Op: s.op, Kind: ErrTransport, Detail: "canceled", cause: ctx.Err()}
	}
}

// run logs in. The client's timeout and the limit on retries bound its duration.
func (s *session) run(ctx context.Context, f *flight) {
	sent := s.client.now()
	auth, err := s.authenticate(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight, s.limited = nil, nil
	f.token, f.err = keep(auth.AccessToken), err
	if errors.Is(err, ErrRateLimited) {
		errors.As(err, &s.limited)
	}
	if err == nil {
		life := time.Duration(auth.ExpiresIn) * time.Second
		s.token, s.renewAt = f.token, sent.Add(life-min(life/5, 30*time.Second))
	}
	close(f.done)
}

// limitedFor returns how long the broker still refuses logins because there were
// too many. Further attempts would only prolong that, so none is made until then.
// The caller holds the mutex.
func (s *session) limitedFor() time.Duration {
	if s.limited == nil || s.limited.RetryAt.IsZero() {
		return 0
	}
	wait := s.limited.RetryAt.Sub(s.client.now())
	return min(wait, s.limited.RetryAfter) // RetryAt is far off if the clock was set back
}

func (s *session) authenticate(ctx context.Context) (auth wire.AuthResponse, err error) {
	k := s.login()
	k.out = &auth
	if err := s.client.do(ctx, k); err != nil {
		return auth, err
	}
	if auth.AccessToken == "" {
		return auth, &Error{Op: k.op, Kind: ErrProtocol, Detail: "the login response lacks a token"}
	}
	if auth.ExpiresIn <= 0 {
		return auth, &Error{Op: k.op, Kind: ErrProtocol, Detail: "the login response contains an expired token"}
	}
	return auth, nil
}

// forget drops a token that the broker no longer accepts, unless a newer one has
// replaced it.
func (s *session) forget(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.reveal() == token {
		s.token = nil
	}
}

// do sends a call with the session's token. If the broker no longer accepts the
// token, do logs in again and repeats the call once.
func (s *session) do(ctx context.Context, k call) error {
	for again := false; ; again = true {
		token, err := s.bearer(ctx)
		if err != nil {
			return err
		}
		k.bearer = token
		err = s.client.do(ctx, k)
		if again || !errors.Is(err, ErrAuthentication) {
			return err
		}
		s.forget(token)
	}
}

// close waits for a login in flight, then releases the session's token.
func (s *session) close() error {
	s.mu.Lock()
	f := s.flight
	s.closed = true
	s.mu.Unlock()
	if f != nil {
		<-f.done
	}
	s.mu.Lock()
	token := s.token
	s.token = nil
	s.mu.Unlock()
	if token == nil {
		return nil
	}
	err := s.client.do(context.Background(), call{op: "close", method: "POST", path: "/v1/token/release",
		bearer: token.reveal(), safe: true, status: http.StatusNoContent})
	if errors.Is(err, ErrAuthentication) {
		return nil // no longer valid
	}
	return err
}

func (s *session) errClosed() error { return &Error{Op: s.op, Kind: ErrClosed} }
