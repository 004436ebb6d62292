package agentwrit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Transport is an [http.RoundTripper] that adds an agent's access token to
// requests to one origin. It refuses requests to any other, and renews the token
// before it expires.
type Transport struct {
	agent  *Agent
	origin url.URL // scheme and host
	next   http.RoundTripper
}

var _ http.RoundTripper = (*Transport)(nil)

// NewTransport returns a Transport for an origin such as https://api.example.
// It sends requests through next, or [http.DefaultTransport] if next is nil.
func NewTransport(agent *Agent, origin string, next http.RoundTripper) (*Transport, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, &Error{Op: "create transport", Kind: ErrInvalidRequest, Detail: "the origin must have the form https://api.example"}
	}
	if next == nil {
		next = http.DefaultTransport
	}
	return &Transport{agent, url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, next}, nil
}

// RoundTrip sends a request with the agent's token. It fails with
// [ErrAuthorization], before anything is sent, if the request is for another
// origin, such as the target of a redirect, and with [ErrReleased] if the
// agent was released.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != t.origin.Scheme || strings.ToLower(req.URL.Host) != t.origin.Host {
		closeBody(req)
		return nil, &Error{Op: "send request", Kind: ErrAuthorization,
			Detail: fmt.Sprintf("the agent's token is only sent to %s", t.origin.String())}
	}
	token, err := t.agent.fresh(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	return t.next.RoundTrip(req)
}

// closeBody closes the request's body, as a RoundTripper must also do when it
// fails.
func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// fresh returns a token. If less than a fifth of its lifetime is left, fresh
// renews it first; if that fails for a reason other than the token itself, the
// old one is used while it lasts.
func (a *Agent) fresh(ctx context.Context) (string, error) {
	token, left, life, err := a.snapshot()
	if err != nil {
		return "", err
	}
	if left > life/5 {
		return token, nil
	}
	err = a.renewIf(ctx, token)
	if err != nil && (left <= 0 || errors.Is(err, ErrAuthentication) || errors.Is(err, ErrReleased)) {
		return "", err
	}
	return a.AccessToken(), nil
}

func (a *Agent) snapshot() (token string, left, life time.Duration, err error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.released {
		return "", 0, 0, &Error{Op: "use token", Kind: ErrReleased}
	}
	return a.token.reveal(), a.expires.Sub(a.client.now()), a.life, nil
}

// renewIf renews the token unless another caller has already replaced it.
func (a *Agent) renewIf(ctx context.Context, old string) error {
	if err := a.lock(ctx, "renew token"); err != nil {
		return err
	}
	defer a.unlock()
	if a.AccessToken() != old {
		return nil
	}
	return a.renew(ctx)
}
