package agentwrit_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// Release succeeds only when the broker has confirmed it.
func TestReleaseNeedsConfirmation(t *testing.T) {
	t.Parallel()
	brokertest.Each(t, testReleaseNeedsConfirmation)
}

func testReleaseNeedsConfirmation(t *testing.T, b *brokertest.Broker) {
	rec := b.Register(t, "read:data:*")
	proxy := intercept(t, b)
	app, err := agentwrit.NewApp(proxy.url, rec.ClientID, rec.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	agent := createAgent(t, app, "read:data:a")
	for _, tt := range []struct {
		name string
		with http.HandlerFunc
		want error
	}{
		{"200 in HTML", answer(200, "text/html", "Please log in"), agentwrit.ErrProtocol},
		{"200 in JSON", answer(200, "application/json", "{}"), agentwrit.ErrProtocol},
		{"202", answer(202, "application/json", "{}"), agentwrit.ErrProtocol},
		{"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, agentwrit.ErrProtocol},
		{"401", problemDoc(401, "unauthorized", "token verification failed"), agentwrit.ErrAuthentication},
		{"403", problemDoc(403, "forbidden", "no"), agentwrit.ErrAuthorization},
		{"404", answer(404, "text/plain", "404 page not found"), agentwrit.ErrNotFound},
		{"500", problemDoc(500, "internal_error", "no"), agentwrit.ErrServer},
		{"connection dropped", dropConnection, agentwrit.ErrTransport},
	} {
		proxy.replace("/v1/token/release", tt.with)
		err := agent.Release(t.Context())
		if !errors.Is(err, tt.want) || agent.Released() || errors.Is(err, agentwrit.ErrExpired) {
			t.Errorf("%s: %v, released %v; want %v", tt.name, err, agent.Released(), tt.want)
		}
	}
	assertValid(t, app, agent.AccessToken(), "a token that was not released")
	proxy.replace("", nil)
	if err := agent.Release(t.Context()); err != nil || !agent.Released() {
		t.Errorf("release: %v", err)
	}
	assertInvalid(t, app, agent.AccessToken(), "a released token")

	revoked := createAgent(t, app, "read:data:a")
	if _, err := b.Admin(t).Revoke(t.Context(), agentwrit.RevokeAgent, revoked.ID()); err != nil {
		t.Fatal(err)
	}
	if err := revoked.Release(t.Context()); !errors.Is(err, agentwrit.ErrAuthentication) || errors.Is(err, agentwrit.ErrExpired) || revoked.Released() {
		t.Errorf("release of a revoked token: %v, want ErrAuthentication without ErrExpired", err)
	}
}

// A refusal that time explains is told apart from others.
func TestRefusalsThatTimeExplains(t *testing.T) {
	var broker, local atomic.Int64 // seconds ahead
	ahead := func(s *atomic.Int64) func() time.Time {
		return func() time.Time { return time.Now().Add(time.Duration(s.Load()) * time.Second) }
	}
	b := brokertest.Start(t, brokertest.WithClock(ahead(&broker)))
	app := b.AppWith(t, []agentwrit.Option{agentwrit.WithClock(ahead(&local))}, "read:data:*")
	agent := createAgent(t, app, "read:data:a")
	classify := func(err error) string {
		switch {
		case err == nil:
			return "none"
		case errors.Is(err, agentwrit.ErrExpired):
			return "expired"
		case errors.Is(err, agentwrit.ErrNotYetValid):
			return "not yet valid"
		}
		return "other"
	}
	calls := map[string]func() error{
		"validate": func() error { _, err := app.Validate(t.Context(), agent.AccessToken()); return err },
		"renew":    func() error { return agent.Renew(t.Context()) },
		"delegate": func() error { _, err := agent.Delegate(t.Context(), agent.ID(), agent.Scope(), 0); return err },
		"release":  func() error { return agent.Release(t.Context()) },
	}
	check := func(what, want string) {
		t.Helper()
		for name, call := range calls {
			wantKind := agentwrit.ErrAuthentication
			if name == "validate" {
				wantKind = agentwrit.ErrTokenInvalid
			}
			if err := call(); !errors.Is(err, wantKind) || classify(err) != want || agent.Released() {
				t.Errorf("%s, %s: %v (%s), want %s", what, name, err, classify(err), want)
			}
		}
	}
	broker.Store(400)
	local.Store(400)
	check("after its expiry", "expired")
	local.Store(0)
	check("expired for the broker alone", "other")
	local.Store(299)
	check("in the last second", "expired")
	local.Store(-60)
	check("local clock before its issue", "not yet valid")

	local.Store(400)
	second := createAgent(t, app, "read:data:a")
	if _, err := b.Admin(t).Revoke(t.Context(), agentwrit.RevokeAgent, second.ID()); err != nil {
		t.Fatal(err)
	}
	if _, err := app.Validate(t.Context(), second.AccessToken()); classify(err) != "other" {
		t.Errorf("a revoked token: %v (%s)", err, classify(err))
	}
	for _, token := range []string{"x", "a.b.c", "..", "a.e30.c"} {
		if _, err := app.Validate(t.Context(), token); !errors.Is(err, agentwrit.ErrTokenInvalid) || classify(err) != "other" {
			t.Errorf("token %q: %v (%s)", token, err, classify(err))
		}
	}
}

// A token's lifetime is counted from the request, so that the agent does not
// consider it valid longer than the broker does.
func TestLifetimeCountsFromTheRequest(t *testing.T) {
	var ahead atomic.Int64
	clock := func() time.Time { return time.Unix(1_900_000_000, 0).Add(time.Duration(ahead.Load()) * time.Second) }
	b := brokertest.Start(t, brokertest.WithClock(clock))
	rec := b.Register(t, "read:data:*")
	proxy := intercept(t, b)
	app, err := agentwrit.NewApp(proxy.url, rec.ClientID, rec.ClientSecret, agentwrit.WithClock(clock))
	if err != nil {
		t.Fatal(err)
	}
	slow := func(path string) {
		proxy.replace(path, func(w http.ResponseWriter, r *http.Request) {
			proxy.proxy.ServeHTTP(w, r)
			ahead.Add(8)
		})
	}
	slow("/v1/register")
	agent := createAgent(t, app, "read:data:a")
	if got := agent.ExpiresIn(); got != 292*time.Second {
		t.Errorf("after a registration of 8 s: expires in %s, want 292 s", got)
	}
	slow("/v1/token/renew")
	if err := agent.Renew(t.Context()); err != nil || agent.ExpiresIn() != 292*time.Second {
		t.Errorf("after a renewal of 8 s: %v, expires in %s, want 292 s", err, agent.ExpiresIn())
	}
}
