package agentwrit_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// failFirst answers the first n requests with h and passes the others on.
func (i *interceptor) failFirst(path string, n int32, h http.HandlerFunc) *atomic.Int32 {
	var asked atomic.Int32
	i.replace(path, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= n {
			h(w, r)
			return
		}
		i.proxy.ServeHTTP(w, r)
	})
	return &asked
}

func proxiedApp(t *testing.T, opts ...agentwrit.Option) (*interceptor, *agentwrit.App, *agentwrit.Admin) {
	t.Helper()
	b := brokertest.Start(t)
	rec := b.Register(t, "read:data:*")
	proxy := intercept(t, b)
	app, err := agentwrit.NewApp(proxy.url, rec.ClientID, rec.ClientSecret, opts...)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := agentwrit.NewAdmin(proxy.url, b.AdminSecret, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return proxy, app, admin
}

// The reference broker answers 403 "app not found" while its store is locked.
// That answer is repeated, and no other refusal is.
func TestLaunchTokenOutlastsALockedStore(t *testing.T) {
	locked := problemDoc(403, "forbidden", "app not found")
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		times  int32
		want   error
		asked  int32
	}{
		{"app not found once", locked, 1, nil, 2},
		{"app not found six times", locked, 6, nil, 7},
		{"above the ceiling", problemDoc(403, "forbidden", "requested scopes exceed app ceiling"), 1, agentwrit.ErrAuthorization, 1},
		{"insufficient scope", problemDoc(403, "insufficient_scope", "token lacks required scope"), 1, agentwrit.ErrAuthorization, 1},
		{"403 without a reason", answer(403, "text/plain", "app not found"), 1, agentwrit.ErrAuthorization, 1},
		{"404 app not found", problemDoc(404, "not_found", "app not found"), 1, agentwrit.ErrNotFound, 1},
		{"500", problemDoc(500, "internal_error", "app not found"), 1, agentwrit.ErrServer, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			proxy, app, _ := proxiedApp(t)
			asked := proxy.failFirst("/v1/app/launch-tokens", tt.times, tt.answer)
			_, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}})
			if !errors.Is(err, tt.want) || asked.Load() != tt.asked {
				t.Errorf("%v after %d requests, want %v after %d", err, asked.Load(), tt.want, tt.asked)
			}
		})
	}
	t.Run("forever", func(t *testing.T) {
		t.Parallel()
		var asked atomic.Int32
		url := server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/app/auth" {
				answer(200, "application/json", `{"access_token":"x","expires_in":300}`)(w, r)
				return
			}
			asked.Add(1)
			locked(w, r)
		})
		app, err := agentwrit.NewApp(url, "id", "secret", agentwrit.WithTimeout(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		_, err = app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}})
		if !errors.Is(err, agentwrit.ErrUnavailable) || errors.Is(err, agentwrit.ErrAuthorization) || asked.Load() < 3 || asked.Load() > 30 {
			t.Errorf("%v after %d requests, want ErrUnavailable after several", err, asked.Load())
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err = app.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}})
		if err == nil || time.Since(began) > 600*time.Millisecond {
			t.Errorf("%v after %s, want an error when the context ends", err, time.Since(began))
		}
	})
}

// Status 500 at the registration of an app is repeated once, unless the name is
// taken by then.
func TestRegisterAppAfterServerError(t *testing.T) {
	failed := problemDoc(500, "internal_error", "failed to register app")
	req := agentwrit.CreateAppRequest{Name: "clinic", Scopes: []string{"read:data:*"}}
	for _, tt := range []struct {
		name  string
		times int32
		taken bool
		want  error
		posts int32
	}{
		{"once", 1, false, nil, 2},
		{"twice", 2, false, agentwrit.ErrServer, 2},
		{"name taken", 1, true, agentwrit.ErrConflict, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			proxy, _, admin := proxiedApp(t)
			if tt.taken {
				if _, err := admin.RegisterApp(t.Context(), req); err != nil {
					t.Fatal(err)
				}
			}
			var posts atomic.Int32
			proxy.replace("/v1/admin/apps", func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "POST" && posts.Add(1) <= tt.times {
					failed(w, r)
					return
				}
				proxy.proxy.ServeHTTP(w, r)
			})
			rec, err := admin.RegisterApp(t.Context(), req)
			if !errors.Is(err, tt.want) || posts.Load() != tt.posts || (err == nil) != (rec != nil) {
				t.Errorf("%v, %v after %d requests, want %v after %d", rec, err, posts.Load(), tt.want, tt.posts)
			}
			if tt.want == agentwrit.ErrConflict && errors.Is(err, agentwrit.ErrServer) {
				t.Errorf("%v is also an ErrServer", err)
			}
		})
	}
}

// A broker without keys or checkpoints reports that in plain text.
func TestEndpointsThatAreNotServed(t *testing.T) {
	url := server(t, func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	v, err := agentwrit.NewValidator(url)
	if err != nil {
		t.Fatal(err)
	}
	offline, err := agentwrit.NewOfflineVerifier(url)
	if err != nil {
		t.Fatal(err)
	}
	key := newMint(t)
	pinned, err := agentwrit.NewValidator(url, agentwrit.WithKeys(agentwrit.Keys{"x": key.public()}))
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"keys":                 func() error { _, err := v.Keys(t.Context()); return err },
		"checkpoint":           func() error { _, _, err := v.Checkpoint(t.Context()); return err },
		"checkpoint, own keys": func() error { _, _, err := pinned.Checkpoint(t.Context()); return err },
		"offline": func() error {
			_, err := offline.Validate(t.Context(), key.token(t, key.header(), key.claims()))
			return err
		},
	} {
		if err := call(); !errors.Is(err, agentwrit.ErrNotServed) || !errors.Is(err, agentwrit.ErrNotFound) || errors.Is(err, agentwrit.ErrTokenInvalid) {
			t.Errorf("%s: %v, want ErrNotServed", name, err)
		}
	}
	if _, err := v.Health(t.Context()); errors.Is(err, agentwrit.ErrNotServed) || !errors.Is(err, agentwrit.ErrNotFound) {
		t.Errorf("health: %v, want ErrNotFound alone: every broker has it", err)
	}
}

// A rate-limited login is reported with the time of the next try, and nothing is
// sent before that time.
func TestRateLimitedLogin(t *testing.T) {
	var mu sync.Mutex
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	advance := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	var logins atomic.Int32
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		if logins.Add(1) == 1 {
			w.Header().Set("Retry-After", "60")
			problemDoc(429, "rate_limited", "too many logins")(w, r)
			return
		}
		answer(200, "application/json", `{"access_token":"x","expires_in":300}`)(w, r)
	})
	app, err := agentwrit.NewApp(url, "id", "secret", agentwrit.WithClock(clock))
	if err != nil {
		t.Fatal(err)
	}
	check := func(after time.Duration, wait time.Duration) {
		t.Helper()
		err := app.Login(t.Context())
		var e *agentwrit.Error
		if !errors.As(err, &e) || !errors.Is(err, agentwrit.ErrRateLimited) || e.RetryAfter != wait ||
			!e.RetryAt.Equal(clock().Add(wait)) || !strings.Contains(err.Error(), wait.String()) || logins.Load() != 1 {
			t.Errorf("after %s: %v, %d logins; want a wait of %s and 1 login", after, err, logins.Load(), wait)
		}
	}
	check(0, time.Minute)
	advance(45 * time.Second)
	check(45*time.Second, 15*time.Second)
	advance(15 * time.Second)
	if err := app.Login(t.Context()); err != nil || logins.Load() != 2 {
		t.Errorf("after a minute: %v, %d logins", err, logins.Load())
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		header, date string
		want         time.Duration
	}{
		{"60", "", time.Minute},
		{"0", "", 0},
		{"3600", "", time.Hour},
		{"86400", "", time.Hour},
		{"9223372036854775807", "", time.Hour},
		{"99999999999999999999", "", 0},
		{"-5", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{"", "", 0},
		{"Sun, 01 Mar 2026 09:00:30 GMT", "", 30 * time.Second},
		{"Sun, 01 Mar 2026 09:00:30 GMT", "Sun, 01 Mar 2026 09:00:10 GMT", 20 * time.Second},
		{"Sun, 01 Mar 2026 08:59:00 GMT", "", 0},
		{"Mon, 01 Mar 2027 09:00:00 GMT", "", time.Hour},
	} {
		url := server(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Date"] = nil
			if tt.date != "" {
				w.Header().Set("Date", tt.date)
			}
			w.Header().Set("Retry-After", tt.header)
			problemDoc(400, "invalid_request", "no")(w, r)
		})
		_, err := agentwrit.Validate(t.Context(), url, "x", agentwrit.WithClock(func() time.Time { return now }))
		var e *agentwrit.Error
		if !errors.As(err, &e) || e.RetryAfter != tt.want {
			t.Errorf("Retry-After %q, Date %q: %v, want %s", tt.header, tt.date, e.RetryAfter, tt.want)
		}
		if (tt.want == 0) != e.RetryAt.IsZero() || tt.want > 0 && !e.RetryAt.Equal(now.Add(tt.want)) {
			t.Errorf("Retry-After %q: RetryAt = %s", tt.header, e.RetryAt)
		}
	}
}

// A login that is answered with an expired token fails. It is not repeated in a
// loop.
func TestLoginAnsweredWithAnExpiredToken(t *testing.T) {
	for _, body := range []string{`{"access_token":"x"}`, `{"access_token":"x","expires_in":0}`, `{"access_token":"x","expires_in":-300}`, `{"expires_in":300}`} {
		var logins atomic.Int32
		url := server(t, func(w http.ResponseWriter, _ *http.Request) {
			logins.Add(1)
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, body)
		})
		app, err := agentwrit.NewApp(url, "id", "secret")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if err := app.Login(ctx); !errors.Is(err, agentwrit.ErrProtocol) || logins.Load() != 1 {
			t.Errorf("%s: %v after %d logins, want ErrProtocol after 1", body, err, logins.Load())
		}
		cancel()
	}
}
