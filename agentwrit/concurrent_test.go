package agentwrit_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// Concurrent renewals are serialized, accessors stay consistent meanwhile, and
// only the last token remains valid.
func TestConcurrentRenewals(t *testing.T) { brokertest.Each(t, testConcurrentRenewals) }

func testConcurrentRenewals(t *testing.T, b *brokertest.Broker) {
	app := b.App(t, "read:data:*")
	agent := createAgent(t, app, "read:data:a")
	first := agent.AccessToken()
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := agent.Renew(t.Context()); err != nil {
				t.Errorf("renew: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[agent.AccessToken()] = true
			if agent.ExpiresIn() <= 0 || agent.ID() == "" || len(agent.Scope()) != 1 {
				t.Error("inconsistent accessors during renewals")
			}
		})
	}
	wg.Wait()
	last := agent.AccessToken()
	assertValid(t, app, last, "the last renewed token")
	seen[first] = true
	delete(seen, last)
	for token := range seen {
		assertInvalid(t, app, token, "a token that was replaced")
	}
}

// A release among concurrent renewals is final: later renewals fail.
func TestReleaseDuringRenewals(t *testing.T) { brokertest.Each(t, testReleaseDuringRenewals) }

func testReleaseDuringRenewals(t *testing.T, b *brokertest.Broker) {
	app := b.App(t, "read:data:*")
	agent := createAgent(t, app, "read:data:a")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := agent.Renew(t.Context()); err != nil && !errors.Is(err, agentwrit.ErrReleased) {
				t.Errorf("renew: %v, want success or ErrReleased", err)
			}
		})
	}
	wg.Go(func() {
		if err := agent.Release(t.Context()); err != nil {
			t.Errorf("release: %v", err)
		}
	})
	wg.Wait()
	assertInvalid(t, app, agent.AccessToken(), "after release")
}

func TestKeys(t *testing.T) { brokertest.Each(t, testKeys) }

func testKeys(t *testing.T, b *brokertest.Broker) {
	app := b.App(t, "read:data:*")
	_, own, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	req := agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}, Key: own}
	if _, err := app.CreateAgent(t.Context(), req); err != nil {
		t.Errorf("the caller's key: %v", err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	req.Key = other
	if _, err := app.CreateAgent(t.Context(), req); !errors.Is(err, agentwrit.ErrCrypto) {
		t.Errorf("an ECDSA key: %v, want ErrCrypto", err)
	}
}

// A canceled call returns at once and leaves no goroutine behind.
func TestCancellationLeaksNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	release := make(chan struct{})
	transport := &http.Transport{}
	url := server(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	v, err := agentwrit.NewValidator(url, agentwrit.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := v.Validate(ctx, "token"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("validate = %v, want context.DeadlineExceeded", err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("canceled calls took %s", took)
	}
	close(release)
	transport.CloseIdleConnections()
	goleak.VerifyNone(t, before, goleak.IgnoreTopFunction("net/http/httptest.(*Server).goServe.func1"),
		goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("net/http.(*Server).Serve"))
}
