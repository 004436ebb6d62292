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
	login  func() call   // returns the login request, which holds a secret
	cache  *sessionCache // shares the session with other processes, nil if it is not shared

	mu      sync.Mutex
	grant   grant
	refused secret  // the last token that the broker did not accept
	flight  *flight // the login in flight, nil if none
	limited *Error  // the last login's refusal if it was rate limited, nil otherwise
	closed  bool
}

// A grant is a session's token and when to replace it.
type grant struct {
	token   secret // nil if there is none
	renewAt time.Time
}

// A flight is a login, or a look into the cache, that callers wait for.
type flight struct {
	done  chan struct{} // closed when it has ended
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
	if s.grant.token != nil && s.client.now().Before(s.grant.renewAt) {
		defer s.mu.Unlock()
		return s.grant.token.reveal(), nil
	}
	if err := s.limitedNow(); err != nil && s.cache == nil {
		s.mu.Unlock()
		return "", err
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

// run obtains a grant. The client's timeout and the limit on retries bound its
// duration.
func (s *session) run(ctx context.Context, f *flight) {
	g, err := s.obtain(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight, s.limited = nil, nil
	f.token, f.err = g.token, err
	if errors.Is(err, ErrRateLimited) {
		errors.As(err, &s.limited)
	}
	if err == nil {
		s.grant = g
	}
	close(f.done)
}

// obtain returns the grant that another process has stored, or logs in and stores
// the new one.
func (s *session) obtain(ctx context.Context) (grant, error) {
	s.mu.Lock()
	refused, limited := s.refused.reveal(), s.limitedNow()
	s.mu.Unlock()
	if s.cache == nil {
		return s.authenticate(ctx)
	}
	if g, ok := s.cache.load(ctx, s.client.now(), refused); ok {
		return g, nil
	}
	if limited != nil {
		return grant{}, limited
	}
	g, err := s.authenticate(ctx)
	if errors.Is(err, ErrRateLimited) {
		// Another process may have made the last login that the broker permitted.
		if g, ok := s.cache.load(ctx, s.client.now(), refused); ok {
			return g, nil
		}
	}
	if err == nil {
		s.cache.save(ctx, g)
	}
	return g, err
}

// limitedNow returns an error if the broker still refuses logins because there were
// too many. Further attempts would only prolong that, so none is made until then.
// The caller holds the mutex.
func (s *session) limitedNow() error {
	if s.limited == nil || s.limited.RetryAt.IsZero() {
		return nil
	}
	// RetryAt is far off if the clock was set back.
	wait := min(s.limited.RetryAt.Sub(s.client.now()), s.limited.RetryAfter)
	if wait <= 0 {
		return nil
	}
	e := *s.limited
	e.RetryAfter = wait
	return &e
}

// authenticate logs in.
func (s *session) authenticate(ctx context.Context) (grant, error) {
	sent := s.client.now()
	k := s.login()
	var auth wire.AuthResponse
	k.out = &auth
	if err := s.client.do(ctx, k); err != nil {
		return grant{}, err
	}
	if auth.AccessToken == "" {
		return grant{}, &Error{Op: k.op, Kind: ErrProtocol, Detail: "the login response lacks a token"}
	}
	if auth.ExpiresIn <= 0 {
		return grant{}, &Error{Op: k.op, Kind: ErrProtocol, Detail: "the login response contains an expired token"}
	}
	life := time.Duration(auth.ExpiresIn) * time.Second
	return grant{keep(auth.AccessToken), sent.Add(life - min(life/5, 30*time.Second))}, nil
}

// forget drops a token that the broker no longer accepts, unless a newer one has
// replaced it.
func (s *session) forget(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grant.token.reveal() == token {
		s.grant, s.refused = grant{}, keep(token)
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

// close waits for a login in flight, then releases the session's token unless other
// processes share it.
func (s *session) close() error {
	s.mu.Lock()
	f := s.flight
	s.closed = true
	s.mu.Unlock()
	if f != nil {
		<-f.done
	}
	s.mu.Lock()
	token := s.grant.token
	s.grant = grant{}
	s.mu.Unlock()
	if token == nil || s.cache != nil {
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
