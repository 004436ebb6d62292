// Package brokertest starts a real AgentWrit broker for a test: the embedded
// broker, served over HTTP on its own loopback port. Tests that use it exercise
// the actual protocol; nothing is mocked.
package brokertest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/broker"
	"github.com/devonartis/medassist-go/internal/random"
)

// A Broker is a running broker.
type Broker struct {
	URL         string
	AdminSecret string
	// Strict reports whether the broker keeps the rules by which the embedded
	// broker is stricter than the reference broker (docs/protocol.md, "Stricter
	// than the reference broker").
	Strict bool

	restart func(t testing.TB) // nil for a broker that runs elsewhere
}

// A Starter starts a broker of one kind, for [EachKind].
type Starter func(t testing.TB, opts ...Option) *Broker

// An Option changes the broker's configuration.
type Option func(*broker.Config)

// OnDisk stores the broker's data in dir instead of in memory.
func OnDisk(dir string) Option { return func(c *broker.Config) { c.Dir = dir } }

// WithClock sets the broker's source of the current time.
func WithClock(now func() time.Time) Option { return func(c *broker.Config) { c.Clock = now } }

// WithConfig changes any part of the configuration.
func WithConfig(f func(*broker.Config)) Option { return f }

// Start starts a broker and stops it when the test ends. Its data is kept in
// memory unless an option says otherwise.
func Start(t testing.TB, opts ...Option) *Broker {
	t.Helper()
	return start(t, true, opts)
}

// StartReference starts a broker that behaves like the reference broker where a
// client notices the difference; see [Each].
func StartReference(t testing.TB, opts ...Option) *Broker {
	t.Helper()
	return start(t, false, opts)
}

// Each runs a test against the embedded broker, against one that behaves like the
// reference broker, and, if AGENTWRIT_TEST_BROKER_URL and
// AGENTWRIT_TEST_ADMIN_SECRET are set, against the broker that they name. Where
// the rules differ, f consults [Broker.Strict].
func Each(t *testing.T, f func(t *testing.T, b *Broker)) {
	t.Helper()
	EachKind(t, func(t *testing.T, start Starter) { f(t, start(t)) })
}

// EachKind is like [Each] for tests that start the broker themselves. A broker
// that runs elsewhere takes no options: tests that need one are skipped for it.
func EachKind(t *testing.T, f func(t *testing.T, start Starter)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { f(t, Start) })
	t.Run("reference", func(t *testing.T) { f(t, StartReference) })
	if os.Getenv("AGENTWRIT_TEST_BROKER_URL") != "" {
		t.Run("external", func(t *testing.T) { f(t, external) })
	}
}

// EachStrict is like [Each] for rules that a broker like the reference broker does
// not keep: it runs the test against brokers for which [Broker.Strict] is true.
func EachStrict(t *testing.T, f func(t *testing.T, b *Broker)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { f(t, Start(t)) })
	if os.Getenv("AGENTWRIT_TEST_BROKER_URL") != "" {
		if b := external(t); b.Strict {
			t.Run("external", func(t *testing.T) { f(t, b) })
		}
	}
}

// external returns the broker that is running elsewhere. Of the two kinds, only
// the embedded broker serves its keys.
func external(t testing.TB, opts ...Option) *Broker {
	t.Helper()
	if len(opts) > 0 {
		t.Skip("a broker that runs elsewhere can't be configured")
	}
	b := &Broker{URL: os.Getenv("AGENTWRIT_TEST_BROKER_URL"), AdminSecret: os.Getenv("AGENTWRIT_TEST_ADMIN_SECRET")}
	_, err := b.Validator(t).Keys(t.Context())
	if err != nil && !errors.Is(err, agentwrit.ErrNotServed) {
		t.Fatalf("external broker: %v", err)
	}
	b.Strict = err == nil
	return b
}

// start starts a broker behind a handler that a restart can replace.
func start(t testing.TB, strict bool, opts []Option) *Broker {
	t.Helper()
	cfg := broker.Config{AdminSecret: random.Hex(24), SecretCost: bcrypt.MinCost, Logger: slog.New(slog.DiscardHandler)}
	for _, o := range opts {
		o(&cfg)
	}
	var serving sync.RWMutex // guards what follows; held for writing during a restart
	var running *broker.Broker
	var current http.Handler
	open := func(t testing.TB) {
		b, err := broker.Open(context.Background(), cfg)
		if err != nil {
			t.Fatalf("start broker: %v", err)
		}
		running, current = b, b.Handler()
	}
	open(t)
	b := &Broker{AdminSecret: running.AdminSecret(), Strict: strict}
	var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.ServeHTTP(w, r) })
	restarted := func() {}
	if !strict {
		f := newReference(handler, cfg.Clock)
		handler, restarted = f, f.restarted
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serving.RLock()
		defer serving.RUnlock()
		handler.ServeHTTP(w, r)
	}))
	b.URL = srv.URL
	b.restart = func(t testing.TB) {
		if cfg.Dir == "" {
			t.Fatal("restart: the broker keeps its data in memory; start it with OnDisk")
		}
		serving.Lock()
		defer serving.Unlock()
		if err := running.Close(); err != nil {
			t.Errorf("close broker: %v", err)
		}
		open(t)
		restarted()
	}
	t.Cleanup(func() {
		srv.Close()
		if err := running.Close(); err != nil {
			t.Errorf("close broker: %v", err)
		}
	})
	return b
}

// Restart stops the broker and starts it again at the same address, with the data
// that it keeps on disk; it needs [OnDisk]. Requests that arrive meanwhile wait. A
// broker that behaves like the reference broker forgets its agents and launch
// tokens, and loses the newest event of its audit log.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	if b.restart == nil {
		t.Fatal("a broker that runs elsewhere can't be restarted; a test that uses OnDisk is skipped for it")
	}
	b.restart(t)
}

// Admin returns a client that operates the broker.
func (b *Broker) Admin(t testing.TB, opts ...agentwrit.Option) *agentwrit.Admin {
	t.Helper()
	admin, err := agentwrit.NewAdmin(b.URL, b.AdminSecret, opts...)
	if err != nil {
		t.Fatalf("create admin: %v", err)
	}
	return admin
}

// Validator returns a client that validates tokens at the broker.
func (b *Broker) Validator(t testing.TB, opts ...agentwrit.Option) *agentwrit.Validator {
	t.Helper()
	v, err := agentwrit.NewValidator(b.URL, opts...)
	if err != nil {
		t.Fatalf("create validator: %v", err)
	}
	return v
}

// Register registers an application under a random name, with the scopes as its
// ceiling.
func (b *Broker) Register(t testing.TB, scopes ...string) *agentwrit.AppRecord {
	t.Helper()
	app, err := b.Admin(t).RegisterApp(t.Context(), agentwrit.CreateAppRequest{Name: "test-" + random.Hex(6), Scopes: scopes})
	if err != nil {
		t.Fatalf("register app: %v", err)
	}
	return app
}

// App registers an application with the scopes as its ceiling and returns a
// client for it.
func (b *Broker) App(t testing.TB, scopes ...string) *agentwrit.App {
	t.Helper()
	return b.AppWith(t, nil, scopes...)
}

// AppWith is like [Broker.App] and passes options to the client.
func (b *Broker) AppWith(t testing.TB, opts []agentwrit.Option, scopes ...string) *agentwrit.App {
	t.Helper()
	rec := b.Register(t, scopes...)
	app, err := agentwrit.NewApp(b.URL, rec.ClientID, rec.ClientSecret, opts...)
	if err != nil {
		t.Fatalf("create app: %v", err)
	}
	return app
}

// Agent returns an agent that holds the scopes, created by an application that
// is registered for it.
func (b *Broker) Agent(t testing.TB, scopes ...string) *agentwrit.Agent {
	t.Helper()
	agent, err := b.App(t, scopes...).CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "test", TaskID: "test", Scope: scopes})
	if err != nil {
		t.Fatalf("create agent: %v", err)
	}
	return agent
}
