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

// Transport is an [http.RoundTripper] that sends an agent's bearer to one
// origin and nowhere else, and renews the agent's token before it runs out.
type Transport struct {
	agent  *Agent
	origin url.URL // scheme and host
	next   http.RoundTripper
}

// NewTransport makes a Transport for an origin such as https://api.example. A
// nil next is [http.DefaultTransport].
func NewTransport(agent *Agent, origin string, next http.RoundTripper) (*Transport, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, &Error{Op: "transport", Kind: ErrInvalidRequest, Detail: "the origin must look like https://api.example"}
	}
	if next == nil {
		next = http.DefaultTransport
	}
	return &Transport{agent, url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, next}, nil
}

// RoundTrip implements [http.RoundTripper]. A request to any other origin, a
// redirect's included, fails before it is sent; so does one under a released
// agent.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != t.origin.Scheme || strings.ToLower(req.URL.Host) != t.origin.Host {
		closeBody(req)
		return nil, &Error{Op: "send bearer", Kind: ErrAuthorization,
			Detail: fmt.Sprintf("the agent's token is for %s and is not sent elsewhere", t.origin.String())}
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

// closeBody: a RoundTripper closes the body also when it fails.
func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// fresh returns a token with a fifth of its life before it, at least, renewing
// it when there is less.
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
	return a.AccessToken(), nil // not renewed, it still has some life
}

func (a *Agent) snapshot() (token string, left, life time.Duration, err error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.released {
		return "", 0, 0, &Error{Op: "use token", Kind: ErrReleased}
	}
	return a.token, a.expires.Sub(a.client.now()), a.life, nil
}

// renewIf renews the token unless another caller has replaced it meanwhile.
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
