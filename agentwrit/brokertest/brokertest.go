// Package brokertest starts a real broker for a test: the embedded one, over
// HTTP, on a loopback port of its own. Nothing of it is simulated, so a test
// that passes here has spoken the protocol.
package brokertest

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/broker"
)

// Broker is a running broker.
type Broker struct {
	URL         string
	AdminSecret string
}

// Option changes the broker's configuration.
type Option func(*broker.Config)

// OnDisk keeps the broker's data in dir instead of in memory.
func OnDisk(dir string) Option { return func(c *broker.Config) { c.Dir = dir } }

// WithClock sets where the broker's time comes from.
func WithClock(now func() time.Time) Option { return func(c *broker.Config) { c.Clock = now } }

// WithConfig changes anything else.
func WithConfig(f func(*broker.Config)) Option { return f }

// Start starts a broker, in memory unless an option says otherwise, and stops
// it when the test ends.
func Start(t testing.TB, opts ...Option) *Broker {
	t.Helper()
	secret := make([]byte, 24)
	rand.Read(secret) // never fails
	cfg := broker.Config{AdminSecret: hex.EncodeToString(secret), Logger: slog.New(slog.DiscardHandler)}
	for _, o := range opts {
		o(&cfg)
	}
	b, err := broker.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("start broker: %v", err)
	}
	srv := httptest.NewServer(b.Handler())
	t.Cleanup(func() {
		srv.Close()
		if err := b.Close(); err != nil {
			t.Errorf("close broker: %v", err)
		}
	})
	return &Broker{URL: srv.URL, AdminSecret: b.AdminSecret()}
}

// Admin is the broker's operator.
func (b *Broker) Admin(t testing.TB, opts ...agentwrit.Option) *agentwrit.Admin {
	t.Helper()
	admin, err := agentwrit.NewAdmin(b.URL, b.AdminSecret, opts...)
	if err != nil {
		t.Fatalf("admin: %v", err)
	}
	return admin
}

// Register registers an application with these scopes as its ceiling.
func (b *Broker) Register(t testing.TB, scopes ...string) *agentwrit.AppRecord {
	t.Helper()
	suffix := make([]byte, 6)
	rand.Read(suffix) // never fails
	app, err := b.Admin(t).RegisterApp(t.Context(), agentwrit.CreateAppRequest{
		Name: "test-" + hex.EncodeToString(suffix), Scopes: scopes})
	if err != nil {
		t.Fatalf("register app: %v", err)
	}
	return app
}

// App registers an application with these scopes as its ceiling, and returns
// its client.
func (b *Broker) App(t testing.TB, scopes ...string) *agentwrit.App {
	t.Helper()
	rec := b.Register(t, scopes...)
	app, err := agentwrit.NewApp(b.URL, rec.ClientID, rec.ClientSecret)
	if err != nil {
		t.Fatalf("app: %v", err)
	}
	return app
}
