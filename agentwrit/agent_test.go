package agentwrit_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

func createAgent(t *testing.T, app *agentwrit.App, scope ...string) *agentwrit.Agent {
	t.Helper()
	agent, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "clinic", TaskID: "visit", Scope: scope})
	if err != nil {
		t.Fatalf("create agent: %v", err)
	}
	return agent
}

func assertInvalid(t *testing.T, app *agentwrit.App, token, why string) {
	t.Helper()
	if _, err := app.Validate(t.Context(), token); !errors.Is(err, agentwrit.ErrTokenInvalid) {
		t.Errorf("%s: validate = %v, want ErrTokenInvalid", why, err)
	}
}

func assertValid(t *testing.T, app *agentwrit.App, token, why string) *agentwrit.Claims {
	t.Helper()
	claims, err := app.Validate(t.Context(), token)
	if err != nil {
		t.Fatalf("%s: %v", why, err)
	}
	return claims
}

func TestAgentLifecycle(t *testing.T) { brokertest.Each(t, testAgentLifecycle) }

func testAgentLifecycle(t *testing.T, b *brokertest.Broker) {
	app := b.App(t, "read:data:*", "write:data:*")
	agent := createAgent(t, app, "read:data:a", "write:data:a")

	claims := assertValid(t, app, agent.AccessToken(), "after registration")
	if claims.Subject != agent.ID() || claims.TaskID != "visit" || claims.OrchID != "clinic" {
		t.Errorf("claims: subject %s, task %s, orchestration %s", claims.Subject, claims.TaskID, claims.OrchID)
	}
	if !slices.Equal(claims.Scope, []string{"read:data:a", "write:data:a"}) {
		t.Errorf("scope = %v", claims.Scope)
	}

	first := agent.AccessToken()
	if err := agent.Renew(t.Context()); err != nil {
		t.Fatalf("renew: %v", err)
	}
	assertInvalid(t, app, first, "the token before the renewal")
	assertValid(t, app, agent.AccessToken(), "the renewed token")

	for range 2 { // releasing again does nothing
		if err := agent.Release(t.Context()); err != nil {
			t.Fatalf("release: %v", err)
		}
	}
	assertInvalid(t, app, agent.AccessToken(), "a released token")
	if err := agent.Renew(t.Context()); !errors.Is(err, agentwrit.ErrReleased) {
		t.Errorf("renew after release = %v, want ErrReleased", err)
	}
	if _, err := agent.Delegate(t.Context(), agent.ID(), []string{"read:data:a"}, 0); !errors.Is(err, agentwrit.ErrReleased) {
		t.Errorf("delegate after release = %v, want ErrReleased", err)
	}
}

func TestDelegation(t *testing.T) { brokertest.Each(t, testDelegation) }

func testDelegation(t *testing.T, b *brokertest.Broker) {
	app := b.App(t, "read:data:*", "write:data:*")
	from := createAgent(t, app, "read:data:a", "write:data:a")
	to := createAgent(t, app, "read:data:a")

	delegated, err := from.Delegate(t.Context(), to.ID(), []string{"write:data:a"}, time.Minute)
	if err != nil {
		t.Fatalf("delegate: %v", err)
	}
	claims := assertValid(t, app, delegated.AccessToken(), "a delegated token")
	if claims.Subject != to.ID() || !slices.Equal(claims.Scope, []string{"write:data:a"}) {
		t.Errorf("delegated token: %s holds %v", claims.Subject, claims.Scope)
	}
	if chain := delegated.DelegationChain(); len(chain) != 1 || chain[0].Agent != from.ID() {
		t.Errorf("chain = %v, want %s alone", chain, from.ID())
	}
	if err := delegated.Renew(t.Context()); err != nil {
		t.Errorf("renew a delegated token: %v", err)
	}
	further, err := delegated.Delegate(t.Context(), from.ID(), []string{"write:data:a"}, 0)
	if err != nil {
		t.Fatalf("delegate further: %v", err)
	}

	denied := []struct {
		name  string
		to    string
		scope []string
		want  error
	}{
		{"a scope that is not held", to.ID(), []string{"write:data:b"}, agentwrit.ErrAuthorization},
		{"a wildcard for a held name", to.ID(), []string{"write:data:*"}, agentwrit.ErrAuthorization},
		{"another resource", to.ID(), []string{"write:other:a"}, agentwrit.ErrAuthorization},
		{"an unknown agent", "spiffe://agentwrit.local/agent/x/y/0123456789abcdef", []string{"write:data:a"}, agentwrit.ErrNotFound},
		{"a malformed scope", to.ID(), []string{"write:data"}, nil},
		{"no scope", to.ID(), nil, nil},
	}
	for _, d := range denied {
		_, err := from.Delegate(t.Context(), d.to, d.scope, 0)
		if d.want == nil && b.Strict {
			d.want = agentwrit.ErrInvalidRequest // the reference broker answers otherwise
		}
		if err == nil || d.want != nil && !errors.Is(err, d.want) {
			t.Errorf("delegate %s = %v, want %v", d.name, err, d.want)
		}
	}

	if err := from.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*agentwrit.Agent{delegated, further} {
		if b.Strict {
			assertInvalid(t, app, d.AccessToken(), "token delegated by a released agent")
			continue
		}
		assertValid(t, app, d.AccessToken(), "token delegated by a released agent, on the reference broker")
		if err := d.Release(t.Context()); err != nil {
			t.Errorf("release a delegated token: %v", err)
		}
		assertInvalid(t, app, d.AccessToken(), "the same after its own release")
	}
	assertValid(t, app, to.AccessToken(), "the delegate's own token")
}

func TestCeiling(t *testing.T) { brokertest.Each(t, testCeiling) }

func testCeiling(t *testing.T, b *brokertest.Broker) {
	app := b.App(t, "read:data:*")
	_, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"write:data:a"}})
	if !errors.Is(err, agentwrit.ErrAuthorization) {
		t.Errorf("agent above the ceiling: %v, want ErrAuthorization", err)
	}
}

func TestCallersShareOneLogin(t *testing.T) { brokertest.Each(t, testCallersShareOneLogin) }

func testCallersShareOneLogin(t *testing.T, b *brokertest.Broker) {
	began := time.Now()
	app := b.App(t, "read:data:*")
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			agent, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{
				OrchID: "o", TaskID: fmt.Sprintf("t%d", i), Scope: []string{"read:data:a"}})
			if err != nil {
				t.Errorf("agent %d: %v", i, err)
				return
			}
			if err := agent.Release(t.Context()); err != nil {
				t.Errorf("release %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	logins := 0
	for _, err := range b.Admin(t).AuditEvents(t.Context(), agentwrit.AuditFilter{EventType: agentwrit.EventAppAuthenticated, Since: began}) {
		if err != nil {
			t.Fatal(err)
		}
		logins++
	}
	if logins != 1 {
		t.Errorf("%d logins for 100 callers, want 1", logins)
	}
}
