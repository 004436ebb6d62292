package agentwrit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// memoryCache is a cache that all processes of a test share.
type memoryCache struct {
	mu     sync.Mutex
	stored []byte
	saves  int
}

func (c *memoryCache) Load(context.Context) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stored
}

func (c *memoryCache) Save(_ context.Context, session []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored = session
	c.saves++
}

// logins is a broker that counts and answers logins, and reports the token that each
// other request carries.
type logins struct {
	url     string
	count   atomic.Int32
	limited atomic.Bool  // logins get 429
	life    atomic.Int32 // of the tokens, in seconds

	mu       sync.Mutex
	accepted string // the only token that is accepted; "" for any
	carried  []string
}

func startLogins(t *testing.T) *logins {
	l := &logins{}
	l.life.Store(300)
	l.url = server(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/token/release":
			t.Error("the shared session was released")
		case r.URL.Path == "/v1/app/auth" && l.limited.Load():
			w.Header().Set("Retry-After", "60")
			problemDoc(429, "rate_limited", "too many logins")(w, r)
		case r.URL.Path == "/v1/app/auth":
			answer(200, "application/json", fmt.Sprintf(`{"access_token":"token-%d","expires_in":%d}`, l.count.Add(1), l.life.Load()))(w, r)
		default:
			token := r.Header.Get("Authorization")[len("Bearer "):]
			l.mu.Lock()
			defer l.mu.Unlock()
			l.carried = append(l.carried, token)
			if l.accepted != "" && token != l.accepted {
				problemDoc(401, "unauthorized", "token verification failed")(w, r)
				return
			}
			problemDoc(403, "scope_violation", "no")(w, r) // as far as these tests go
		}
	})
	return l
}

func (l *logins) accept(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted = token
}

// last returns the token of the last request.
func (l *logins) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.carried) == 0 {
		return ""
	}
	return l.carried[len(l.carried)-1]
}

// app returns an application in a process of its own.
func (l *logins) app(t *testing.T, cache agentwrit.TokenCache, opts ...agentwrit.Option) *agentwrit.App {
	t.Helper()
	app, err := agentwrit.NewApp(l.url, "client", "secret", append(opts, agentwrit.WithTokenCache(cache))...)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func use(t *testing.T, app *agentwrit.App) error {
	t.Helper()
	_, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}})
	return err
}

// Processes with the same cache log in once, with a real broker too.
func TestTokenCache(t *testing.T) { brokertest.Each(t, testTokenCache) }

func testTokenCache(t *testing.T, b *brokertest.Broker) {
	rec := b.Register(t, "read:data:*")
	cache := &memoryCache{}
	for i := range 8 { // more logins than a broker permits
		app, err := agentwrit.NewApp(b.URL, rec.ClientID, rec.ClientSecret, agentwrit.WithTokenCache(cache))
		if err != nil {
			t.Fatal(err)
		}
		createAgent(t, app, "read:data:a")
		if err := app.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		if cache.saves != 1 {
			t.Fatalf("%d logins by %d processes, want 1", cache.saves, i+1)
		}
	}
}

// Closing an app leaves the session to the other processes, and the closed app no
// longer uses it.
func TestTokenCacheClose(t *testing.T) {
	l, cache := startLogins(t), &memoryCache{}
	first, second := l.app(t, cache), l.app(t, cache)
	if err := errors.Join(first.Login(t.Context()), first.Close()); err != nil {
		t.Fatal(err)
	}
	if err := first.Login(t.Context()); !errors.Is(err, agentwrit.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := second.Login(t.Context()); err != nil || l.count.Load() != 1 {
		t.Errorf("the second process: %v, %d logins", err, l.count.Load())
	}
}

// A session that the broker no longer accepts is replaced once, for all processes.
func TestTokenCacheRefused(t *testing.T) {
	l, cache := startLogins(t), &memoryCache{}
	first, second := l.app(t, cache), l.app(t, cache)
	if err := errors.Join(first.Login(t.Context()), second.Login(t.Context())); err != nil {
		t.Fatal(err)
	}
	l.accept("token-2") // the broker has forgotten the first
	for i, app := range []*agentwrit.App{first, second, l.app(t, cache)} {
		if err := use(t, app); !errors.Is(err, agentwrit.ErrAuthorization) || l.last() != "token-2" {
			t.Errorf("process %d: %v with %s", i, err, l.last())
		}
	}
	if l.count.Load() != 2 {
		t.Errorf("%d logins, want 2", l.count.Load())
	}
}

// A session is replaced before it expires, by one process.
func TestTokenCacheExpires(t *testing.T) {
	var passed atomic.Int64
	clock := agentwrit.WithClock(func() time.Time { return time.Now().Add(time.Duration(passed.Load())) })
	l, cache := startLogins(t), &memoryCache{}
	first, second := l.app(t, cache, clock), l.app(t, cache, clock)
	for _, tt := range []struct {
		after time.Duration
		want  int32
	}{{0, 1}, {260 * time.Second, 1}, {280 * time.Second, 2}, {500 * time.Second, 2}, {560 * time.Second, 3}} {
		passed.Store(int64(tt.after))
		if err := errors.Join(first.Login(t.Context()), second.Login(t.Context())); err != nil || l.count.Load() != tt.want {
			t.Errorf("after %s: %v, %d logins, want %d", tt.after, err, l.count.Load(), tt.want)
		}
	}
}

// An app whose login the broker refuses because there were too many uses the session
// that another process has obtained, also while it must not try again.
func TestTokenCacheRateLimited(t *testing.T) {
	l, cache := startLogins(t), &memoryCache{}
	first, second := l.app(t, cache), l.app(t, cache)
	l.limited.Store(true)
	for range 2 {
		if err := first.Login(t.Context()); !errors.Is(err, agentwrit.ErrRateLimited) {
			t.Fatalf("%v, want ErrRateLimited", err)
		}
	}
	l.limited.Store(false)
	if err := second.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.Login(t.Context()); err != nil || l.count.Load() != 1 {
		t.Errorf("%v after %d logins, want the second's", err, l.count.Load())
	}
}

// racingCache receives another process's session at the moment of the app's own login.
type racingCache struct {
	memoryCache
	theirs []byte
	loads  int
}

func (c *racingCache) Load(ctx context.Context) []byte {
	if c.loads++; c.loads == 2 {
		c.Save(ctx, c.theirs)
	}
	return c.memoryCache.Load(ctx)
}

// Of several processes that start at once, those beyond the limit use what the
// others obtained.
func TestTokenCacheLosesTheRace(t *testing.T) {
	l, other := startLogins(t), &memoryCache{}
	if err := l.app(t, other).Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.limited.Store(true)
	if err := l.app(t, &racingCache{theirs: other.stored}).Login(t.Context()); err != nil {
		t.Errorf("login: %v", err)
	}
}

// What is in the cache is used only for the broker and the application that it was
// saved for, and only if it can be read.
func TestTokenCacheOfOthers(t *testing.T) {
	l, saved := startLogins(t), &memoryCache{}
	if err := l.app(t, saved).Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	change := func(key, value string) []byte {
		var fields map[string]any
		if err := json.Unmarshal(saved.stored, &fields); err != nil || fields[key] == nil {
			t.Fatalf("%v, fields %v", err, fields)
		}
		fields[key] = value
		encoded, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return encoded
	}
	for _, tt := range []struct {
		name   string
		stored []byte
		logins int32
	}{
		{"as saved", saved.stored, 0},
		{"another broker", change("broker", "https://broker.example"), 1},
		{"another application", change("client_id", "other"), 1},
		{"without a token", change("token", ""), 1},
		{"expired", change("renew_at", "2020-01-01T00:00:00Z"), 1},
		{"cut off", bytes.TrimSuffix(saved.stored, []byte("}")), 1},
		{"nothing", nil, 1},
	} {
		before := l.count.Load()
		if err := l.app(t, &memoryCache{stored: tt.stored}).Login(t.Context()); err != nil || l.count.Load()-before != tt.logins {
			t.Errorf("%s: %v, %d logins, want %d", tt.name, err, l.count.Load()-before, tt.logins)
		}
	}
}
