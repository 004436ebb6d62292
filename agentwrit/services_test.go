package agentwrit_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

func TestRequireScope(t *testing.T) {
	b := brokertest.Start(t)
	app := b.App(t, "read:data:*", "write:data:*")
	reader, writer := createAgent(t, app, "read:data:a"), createAgent(t, app, "write:data:a", "read:data:b")
	gone := createAgent(t, app, "read:data:a")
	if err := gone.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(agentwrit.RequireScope(app, "read:data:a")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := agentwrit.ClaimsFrom(r.Context())
		io.WriteString(w, claims.Subject)
	})))
	defer api.Close()
	for _, tc := range []struct {
		name, header string
		status       int
	}{
		{"the scope is held", reader.BearerHeader(), 200},
		{"another scheme's case", "bearer " + reader.AccessToken(), 200},
		{"another scope", writer.BearerHeader(), 403},
		{"no header", "", 401},
		{"another scheme", "Basic " + reader.AccessToken(), 401},
		{"no token", "Bearer ", 401},
		{"garbage", "Bearer garbage", 401},
		{"released", gone.BearerHeader(), 401},
	} {
		req, _ := http.NewRequest("GET", api.URL, nil)
		if tc.header != "" {
			req.Header.Set("Authorization", tc.header)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tc.status {
			t.Errorf("%s: %d %s, want %d", tc.name, resp.StatusCode, body, tc.status)
		}
		var d agentwrit.Denial
		if tc.status == 403 && (json.Unmarshal(body, &d) != nil || !slices.Equal(d.MissingScope, []string{"read:data:a"}) || !slices.Equal(d.HeldScope, writer.Scope())) {
			t.Errorf("%s: %s, want required, held and missing", tc.name, body)
		}
		if tc.status == 200 && string(body) != reader.ID() {
			t.Errorf("claims of %s, want %s", body, reader.ID())
		}
	}
}

// Nobody to ask, nothing required, a request that can't be read: all refused.
func TestRequireScopeFailsClosed(t *testing.T) {
	nobody, err := agentwrit.NewValidator("http://127.0.0.1:1", agentwrit.WithTimeout(200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	app := brokertest.Start(t).App(t, "read:data:*")
	agent := createAgent(t, app, "read:data:a")
	bad := func(*http.Request) ([]string, error) { return nil, errors.New("no such thing") }
	none := func(*http.Request) ([]string, error) { return nil, nil }
	some := func(*http.Request) ([]string, error) { return []string{"read:data:a"}, nil }
	for name, tc := range map[string]struct {
		v      agentwrit.TokenValidator
		of     agentwrit.ScopesOf
		status int
	}{
		"the broker is away":  {nobody, some, 503},
		"nothing is required": {app, none, 403},
		"it can't be read":    {app, bad, 400},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/x", nil)
		r.Header.Set("Authorization", agent.BearerHeader())
		agentwrit.RequireScopeFunc(tc.v, tc.of)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Errorf("%s: let through", name)
		})).ServeHTTP(w, r)
		if w.Code != tc.status {
			t.Errorf("%s: %d, want %d", name, w.Code, tc.status)
		}
	}
}

func TestTransport(t *testing.T) {
	var now atomic.Int64 // seconds that both clocks are ahead
	clock := func() time.Time { return time.Now().Add(time.Duration(now.Load()) * time.Second) }
	b := brokertest.Start(t, brokertest.WithClock(clock))
	rec := b.Register(t, "read:data:*")
	app, err := agentwrit.NewApp(b.URL, rec.ClientID, rec.ClientSecret, agentwrit.WithClock(clock))
	if err != nil {
		t.Fatal(err)
	}
	agent := createAgent(t, app, "read:data:a")
	api := httptest.NewServer(agentwrit.RequireScope(app, "read:data:a")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer api.Close()
	var leaked atomic.Bool
	elsewhere := server(t, func(_ http.ResponseWriter, r *http.Request) { leaked.Store(r.Header.Get("Authorization") != "") })
	tr, err := agentwrit.NewTransport(agent, api.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: tr}
	get := func(url string) (int, error) {
		resp, err := client.Get(url)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	if status, err := get(api.URL); status != 200 || err != nil {
		t.Errorf("first request: %d, %v", status, err)
	}
	first := agent.AccessToken()
	now.Store(270) // of 300
	if status, err := get(api.URL); status != 200 || err != nil || agent.AccessToken() == first {
		t.Errorf("a request before expiry: %d, %v, want the token renewed", status, err)
	}
	if _, err := get(elsewhere); !errors.Is(err, agentwrit.ErrAuthorization) || leaked.Load() {
		t.Errorf("another host: %v, want ErrAuthorization and nothing sent", err)
	}
	if err := agent.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := get(api.URL); !errors.Is(err, agentwrit.ErrReleased) {
		t.Errorf("after release: %v, want ErrReleased", err)
	}
}

func TestOfflineVerifier(t *testing.T) {
	var ahead atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Second) }
	b := brokertest.Start(t)
	app := b.App(t, "read:data:*")
	v, err := agentwrit.NewOfflineVerifier(b.URL, agentwrit.WithClock(clock))
	if err != nil {
		t.Fatal(err)
	}
	agent, to := createAgent(t, app, "read:data:a"), createAgent(t, app, "read:data:b")
	delegated, err := agent.Delegate(t.Context(), to.ID(), []string{"read:data:a"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"registered": agent.AccessToken(), "delegated": delegated.AccessToken()} {
		if claims, err := v.Validate(t.Context(), token); err != nil || !slices.Equal(claims.Scope, []string{"read:data:a"}) {
			t.Errorf("%s: %v, %v", name, claims, err)
		}
	}
	good := agent.AccessToken()
	parts := strings.Split(good, ".")
	stranger := createAgent(t, brokertest.Start(t).App(t, "read:data:*"), "read:data:a").AccessToken()
	for name, token := range map[string]string{
		"empty": "", "garbage": "a.b.c", "two parts": parts[0] + "." + parts[1],
		"another payload": parts[0] + "." + strings.Split(delegated.AccessToken(), ".")[1] + "." + parts[2],
		"no signature":    parts[0] + "." + parts[1] + ".",
		"algorithm none":  "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + ".",
		"line break":      good[:20] + "\n" + good[20:],
		"trailing text":   good + "A",
		"another broker":  stranger,
	} {
		if _, err := v.Validate(t.Context(), token); !errors.Is(err, agentwrit.ErrTokenInvalid) {
			t.Errorf("%s: %v, want ErrTokenInvalid", name, err)
		}
	}
	ahead.Store(301)
	if _, err := v.Validate(t.Context(), good); !errors.Is(err, agentwrit.ErrTokenInvalid) {
		t.Errorf("expired: %v, want ErrTokenInvalid", err)
	}
	nobody, _ := agentwrit.NewOfflineVerifier("http://127.0.0.1:1", agentwrit.WithTimeout(200*time.Millisecond))
	if _, err := nobody.Validate(t.Context(), good); err == nil || errors.Is(err, agentwrit.ErrTokenInvalid) {
		t.Errorf("without keys: %v, want that nobody knows", err)
	}
}

// The trail of a whole life, page by page, verified against a checkpoint kept
// from the middle of it; every way of tampering is found.
func TestVerifyChain(t *testing.T) {
	b := brokertest.Start(t)
	app, admin := b.App(t, "read:data:*"), b.Admin(t)
	createAgent(t, app, "read:data:a")
	_, kept, err := admin.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := createAgent(t, app, "read:data:a").Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	size, head, err := agentwrit.VerifyChain(admin.AuditEvents(t.Context(), agentwrit.AuditFilter{Limit: 3}), kept)
	if err != nil || size < kept.Size+9 {
		t.Fatalf("VerifyChain = %d, %v", size, err)
	}
	var trail []agentwrit.AuditEvent
	for e, err := range admin.AuditEvents(t.Context(), agentwrit.AuditFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		trail = append(trail, e)
	}
	if last := trail[len(trail)-1].Hash; last != head {
		t.Errorf("head %s, the last event has %s", head, last)
	}
	verify := func(events []agentwrit.AuditEvent) error {
		_, _, err := agentwrit.VerifyChain(func(yield func(agentwrit.AuditEvent, error) bool) {
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
		}, kept)
		return err
	}
	var chainErr *agentwrit.ChainError
	for i := range trail {
		edited := slices.Clone(trail)
		edited[i].Detail += "x"
		if err := verify(edited); !errors.As(err, &chainErr) || chainErr.Position != int64(i+1) {
			t.Errorf("event %d edited: %v", i+1, err)
		}
		if err := verify(slices.Delete(slices.Clone(trail), i, i+1)); i < len(trail)-1 && !errors.As(err, &chainErr) {
			t.Errorf("event %d removed: %v", i+1, err)
		}
	}
	if err := verify(trail[:kept.Size-1]); !errors.Is(err, agentwrit.ErrCheckpoint) {
		t.Errorf("cut before the checkpoint: %v, want ErrCheckpoint", err)
	}
	if err := verify(nil); !errors.Is(err, agentwrit.ErrCheckpoint) {
		t.Errorf("all cut: %v, want ErrCheckpoint", err)
	}
}

func TestAdmin(t *testing.T) {
	b := brokertest.Start(t)
	admin := b.Admin(t)
	rec, err := admin.RegisterApp(t.Context(), agentwrit.CreateAppRequest{Name: "clinic", Scopes: []string{"read:data:*"}})
	if err != nil || rec.ClientSecret == "" || rec.Name != "clinic" {
		t.Fatalf("register: %+v, %v", rec, err)
	}
	if _, err := admin.RegisterApp(t.Context(), agentwrit.CreateAppRequest{Name: "clinic", Scopes: []string{"read:data:*"}}); !errors.Is(err, agentwrit.ErrConflict) {
		t.Errorf("the same name: %v, want ErrConflict", err)
	}
	app, err := agentwrit.NewApp(b.URL, rec.ClientID, rec.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	agent := createAgent(t, app, "read:data:a")
	if got, err := admin.App(t.Context(), rec.AppID); err != nil || got.ClientSecret != "" || got.Status != "active" {
		t.Errorf("get: %+v, %v", got, err)
	}
	if apps, err := admin.Apps(t.Context()); err != nil || len(apps) != 1 {
		t.Errorf("list: %v, %v", apps, err)
	}
	if got, err := admin.UpdateApp(t.Context(), rec.AppID, agentwrit.UpdateAppRequest{Scopes: []string{"read:data:a"}}); err != nil || len(got.Scopes) != 1 {
		t.Errorf("update: %+v, %v", got, err)
	}
	if _, err := admin.CreateLaunchToken(t.Context(), agentwrit.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{"read:data:a"}}); err != nil {
		t.Errorf("launch token: %v", err)
	}
	if done, err := admin.Revoke(t.Context(), "task", "visit"); err != nil || !done.Revoked {
		t.Errorf("revoke: %+v, %v", done, err)
	}
	assertInvalid(t, app, agent.AccessToken(), "a revoked task's token")
	if _, err := admin.Revoke(t.Context(), "planet", "x"); !errors.Is(err, agentwrit.ErrInvalidRequest) {
		t.Errorf("revoke a planet: %v, want ErrInvalidRequest", err)
	}
	if got, err := admin.DeleteApp(t.Context(), rec.AppID); err != nil || got.Status != "inactive" {
		t.Errorf("delete: %+v, %v", got, err)
	}
	if _, err := admin.App(t.Context(), "app-none"); !errors.Is(err, agentwrit.ErrNotFound) {
		t.Errorf("an unknown app: %v, want ErrNotFound", err)
	}
	wrong, _ := agentwrit.NewAdmin(b.URL, "not the secret")
	if err := wrong.Login(t.Context()); !errors.Is(err, agentwrit.ErrAuthentication) {
		t.Errorf("a wrong secret: %v, want ErrAuthentication", err)
	}
}
