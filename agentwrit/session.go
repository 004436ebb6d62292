package agentwrit

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// session is a login that many callers share. Brokers allow few logins, so at
// most one is in flight, and it is renewed before it runs out.
type session struct {
	client *client
	login  call // what to send

	mu      sync.Mutex
	token   string
	renewAt time.Time
	flight  *flight // the login in flight, nil if none
}

// flight is one login that several callers wait for.
type flight struct {
	done chan struct{}
	err  error
}

// bearer returns the session's token, logging in when there is none. It
// returns as soon as ctx ends, while the login goes on for the others.
func (s *session) bearer(ctx context.Context) (string, error) {
	for {
		s.mu.Lock()
		if s.token != "" && s.client.now().Before(s.renewAt) {
			defer s.mu.Unlock()
			return s.token, nil
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
			if f.err != nil {
				return "", f.err
			}
		case <-ctx.Done():
			return "", &Error{Op: s.login.op, Kind: ErrTransport, Detail: "canceled", cause: ctx.Err()}
		}
	}
}

// run logs in; the client's timeout and the retries' bound end it.
func (s *session) run(ctx context.Context, f *flight) {
	var auth wire.AuthResponse
	k := s.login
	k.out = &auth
	err := s.client.do(ctx, k)
	if err == nil && auth.AccessToken == "" {
		err = &Error{Op: k.op, Kind: ErrProtocol, Detail: "the broker answered a login without a token"}
	}
	s.mu.Lock()
	if err == nil {
		life := time.Duration(auth.ExpiresIn) * time.Second
		s.token = auth.AccessToken
		s.renewAt = s.client.now().Add(life - min(life/5, 30*time.Second))
	}
	f.err = err
	s.flight = nil
	s.mu.Unlock()
	close(f.done)
}

// forget drops a token that the broker no longer accepts, unless a newer one
// has already taken its place.
func (s *session) forget(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == token {
		s.token = ""
	}
}

// do sends a call under the session, logging in again once if the broker has
// forgotten it.
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
