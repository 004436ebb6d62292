package agentwrit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// A call that issues or ends something is repeated only if the broker reported
// that it did nothing.
func TestCallsWithEffectsAreNotRepeated(t *testing.T) {
	t.Parallel()
	brokertest.Each(t, testCallsWithEffectsAreNotRepeated)
}

func testCallsWithEffectsAreNotRepeated(t *testing.T, b *brokertest.Broker) {
	rec := b.Register(t, "read:data:*")
	proxy := intercept(t, b)
	app, err := agentwrit.NewApp(proxy.url, rec.ClientID, rec.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	agent := createAgent(t, app, "read:data:a")
	for _, c := range []struct {
		path string
		call func() error
	}{
		{"/v1/token/renew", func() error { return agent.Renew(t.Context()) }},
		{"/v1/delegate", func() error { _, err := agent.Delegate(t.Context(), agent.ID(), agent.Scope(), 0); return err }},
		{"/v1/register", func() error {
			_, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}})
			return err
		}},
	} {
		for _, tt := range []struct {
			name     string
			answer   http.HandlerFunc
			repeated bool
		}{
			{"429", problemDoc(429, "rate_limited", "slow down"), true},
			{"503 of the broker", problemDoc(503, "unavailable", "nothing was changed"), true},

			{"500", problemDoc(500, "internal_error", "no"), false},
			{"502 of a gateway", answer(502, "text/html", "bad gateway"), false},
			{"503 of a gateway", answer(503, "text/html", "later"), false},
			{"connection dropped", dropConnection, false},
		} {
			asked := proxy.failFirst(c.path, 1, tt.answer)
			err := c.call()
			if repeated := asked.Load() > 1; repeated != tt.repeated || (err == nil) != tt.repeated {
				t.Errorf("%s after %s: %v, %d requests; want repeated %v", c.path, tt.name, err, asked.Load(), tt.repeated)
			}
		}
	}
}

// A session that the broker has ended is renewed once for all callers, and a late
// refusal of the old token does not end the new session.
func TestSessionSurvivesLateRefusals(t *testing.T) {
	var mu sync.Mutex
	logins := 0
	late, arrived := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.URL.Path == "/v1/admin/auth":
			logins++
			answer(200, "application/json", fmt.Sprintf(`{"access_token":"token-%d","expires_in":300}`, logins))(w, r)
		case r.Header.Get("Authorization") == "Bearer token-1":
			if r.URL.Path == "/v1/admin/apps/late" && held.CompareAndSwap(false, true) {
				mu.Unlock()
				close(arrived)
				<-late
				mu.Lock()
			}
			problemDoc(401, "unauthorized", "token verification failed")(w, r)
		default:
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(agentwrit.AppRecord{AppID: "x"})
		}
	})
	admin, err := agentwrit.NewAdmin(url, "secret")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := admin.App(t.Context(), "late"); err != nil {
			t.Errorf("late call: %v", err)
		}
	})
	<-arrived
	if _, err := admin.App(t.Context(), "early"); err != nil {
		t.Errorf("early call: %v", err)
	}
	close(late)
	wg.Wait()
	if logins != 2 {
		t.Errorf("%d logins, want 2", logins)
	}
}

// If the broker refuses a fresh session too, the call fails after two attempts.
func TestSessionGivesUp(t *testing.T) {
	var logins, calls atomic.Int32
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/admin/auth" {
			logins.Add(1)
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"access_token":"x","expires_in":300}`)
			return
		}
		calls.Add(1)
		problemDoc(401, "unauthorized", "token verification failed")(w, r)
	})
	admin, err := agentwrit.NewAdmin(url, "secret")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Apps(t.Context()); !errors.Is(err, agentwrit.ErrAuthentication) || logins.Load() != 2 || calls.Load() != 2 {
		t.Errorf("%v after %d logins and %d calls, want ErrAuthentication after 2 and 2", err, logins.Load(), calls.Load())
	}
}

// Callers can't change an agent's scopes through a slice.
func TestScopeIsACopy(t *testing.T) { brokertest.Each(t, testScopeIsACopy) }

func testScopeIsACopy(t *testing.T, b *brokertest.Broker) {
	app := b.App(t, "read:data:*")
	requested := []string{"read:data:a"}
	agent := createAgent(t, app, requested...)
	requested[0] = "read:data:*"
	agent.Scope()[0] = "read:data:*"
	if got := agent.Scope()[0]; got != "read:data:a" {
		t.Errorf("scope = %s, want read:data:a", got)
	}
}
