package agentwrit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// A resumed agent is the same as the one that obtained its token, and another process
// can renew, delegate and release with it.
func TestResume(t *testing.T) { brokertest.Each(t, testResume) }

func testResume(t *testing.T, b *brokertest.Broker) {
	app := b.App(t, "read:data:*", "write:data:*")
	from := createAgent(t, app, "read:data:a", "write:data:a")
	to := createAgent(t, app, "read:data:a")
	delegated, err := from.Delegate(t.Context(), to.ID(), []string{"write:data:a"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	successor, err := agentwrit.NewApp(b.URL, app.ClientID(), "not needed")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []*agentwrit.Agent{delegated, from} {
		agent, err := successor.Resume(t.Context(), want.AccessToken())
		if err != nil {
			t.Fatal(err)
		}
		if agent.ID() != want.ID() || agent.TaskID() != want.TaskID() || agent.OrchID() != want.OrchID() ||
			!slices.Equal(agent.Scope(), want.Scope()) || len(agent.DelegationChain()) != len(want.DelegationChain()) {
			t.Errorf("resumed %s, task %s, orchestration %s, scope %v, %d delegations", agent.ID(), agent.TaskID(), agent.OrchID(),
				agent.Scope(), len(agent.DelegationChain()))
		}
		if d := agent.ExpiresAt().Sub(want.ExpiresAt()).Abs(); d > 2*time.Second {
			t.Errorf("the expiry differs by %s", d)
		}
		if agent.AccessToken() != want.AccessToken() || agent.Released() {
			t.Errorf("another token, or released %v", agent.Released())
		}
		if err := agent.Renew(t.Context()); err != nil {
			t.Fatalf("renew: %v", err)
		}
		assertInvalid(t, app, want.AccessToken(), "the token of the first process after a renewal")
		if d := agent.ExpiresAt().Sub(want.ExpiresAt()).Abs(); d > 2*time.Second {
			t.Errorf("after the renewal the expiry differs by %s", d)
		}
		if err := agent.Release(t.Context()); err != nil {
			t.Fatalf("release: %v", err)
		}
		assertInvalid(t, app, agent.AccessToken(), "a token that was released after a resumption")
	}
}

// Only the valid token of an agent can be resumed.
func TestResumeRefused(t *testing.T) { brokertest.Each(t, testResumeRefused) }

func testResumeRefused(t *testing.T, b *brokertest.Broker) {
	app := b.App(t, "read:data:*")
	released := createAgent(t, app, "read:data:a")
	if err := released.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec := b.Register(t, "read:data:*")
	login, err := json.Marshal(wire.AppAuthRequest{ClientID: rec.ClientID, ClientSecret: rec.ClientSecret})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(b.URL+"/v1/app/auth", "application/json", bytes.NewReader(login))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var session wire.AuthResponse
	if err := json.NewDecoder(resp.Body).Decode(&session); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, token string
		want        error
	}{
		{"no token", "", agentwrit.ErrTokenInvalid},
		{"not a token", "x.y.z", agentwrit.ErrTokenInvalid},
		{"a released token", released.AccessToken(), agentwrit.ErrTokenInvalid},
		{"an application's session", session.AccessToken, agentwrit.ErrInvalidRequest},
	} {
		if agent, err := app.Resume(t.Context(), tt.token); !errors.Is(err, tt.want) || agent != nil {
			t.Errorf("%s: %v, %v; want %v", tt.name, agent, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := app.Resume(ctx, createAgent(t, app, "read:data:a").AccessToken()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// The error tells when a token can't be resumed because it has expired.
func TestResumeExpired(t *testing.T) {
	var passed atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	b := brokertest.Start(t, brokertest.WithClock(clock))
	app := b.AppWith(t, []agentwrit.Option{agentwrit.WithClock(clock)}, "read:data:*")
	agent := createAgent(t, app, "read:data:a")
	passed.Store(int64(agent.ExpiresIn() + 2*time.Second))
	if _, err := app.Resume(t.Context(), agent.AccessToken()); !errors.Is(err, agentwrit.ErrTokenInvalid) || !errors.Is(err, agentwrit.ErrExpired) {
		t.Errorf("%v, want ErrTokenInvalid and ErrExpired", err)
	}
}
