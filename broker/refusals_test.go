package broker

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/store"
)

// A flood of refused requests is recorded once, and then counted: one summary a
// window, and windows get longer.
func TestFloodOfRefusalsIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b, err := Open(ctx, quick)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(bearer string) {
			t.Helper()
			r := httptest.NewRequest("POST", "/v1/token/renew", nil)
			r.Header.Set("Authorization", "Bearer "+bearer)
			w := httptest.NewRecorder()
			if b.Handler().ServeHTTP(w, r); w.Code != 401 {
				t.Fatalf("a refused bearer gets %d %s", w.Code, w.Body)
			}
		}
		events := func() []wire.AuditEvent {
			t.Helper()
			all, _, err := b.store.Events(ctx, store.EventFilter{EventType: string(wire.EventTokenAuthFailed), Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			return all
		}

		for minute := range 30 {
			for i := range 100 {
				refused(fmt.Sprintf("garbage %d %d", minute, i))
			}
			time.Sleep(time.Minute)
		}
		got := events()
		if len(got) != 5 { // in full, and after 1, 3, 7 and 15 minutes
			t.Errorf("%d events for 3,000 refused bearers, want 5", len(got))
		}
		if got[0].Detail != "token verification failed" || got[0].Resource != "/v1/token/renew" {
			t.Errorf("the first one: %+v", got[0])
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// All refusals are accounted for, also those that are pending when the broker stops.
func TestRefusalsAddUp(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	open := func() *Broker {
		b, err := Open(ctx, Config{Dir: dir, SecretCost: bcrypt.MinCost})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := open()
	for range 100 {
		ask(b, "POST", "/v1/token/renew", nil) // no header
	}
	for range 50 {
		ask(b, "POST", "/v1/admin/auth", wire.AdminAuthRequest{Secret: "wrong"})
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open()
	defer b.Close()
	all, _, err := b.store.Events(ctx, store.EventFilter{Outcome: string(wire.OutcomeDenied), Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	counted := make(map[wire.EventType]int)
	for _, e := range all {
		n := 1
		if strings.HasPrefix(e.Detail, "repeated ") {
			if _, err := fmt.Sscanf(e.Detail, "repeated %d times since", &n); err != nil {
				t.Fatal(err)
			}
		}
		counted[e.EventType] += n
	}
	if len(all) > 6 || counted[wire.EventTokenAuthFailed] != 100 || counted[wire.EventAdminAuthFailed] != 50 {
		t.Errorf("%d events account for %v, want 100 and 50", len(all), counted)
	}
}

// Many origins don't grow memory or the log without bound, and strangers don't
// displace what the holders of tokens did.
func TestRefusalLogIsBounded(t *testing.T) {
	l := newRefusals()
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	full := 0
	refuse := func(from origin) {
		kind := refusalKind{from, wire.EventTokenAuthFailed, "reason"}
		if !l.count(kind, 0, now) {
			full++
			l.recorded(kind, wire.AuditEvent{AgentID: "agent", Detail: "detail"}, now)
		}
	}
	for i := range 100_000 {
		refuse(origin{name: fmt.Sprint("address ", i)})
	}
	if full != strangerKinds+1 || len(l.kinds) != strangerKinds+1 {
		t.Errorf("%d addresses recorded in full, %d kinds tracked, want %d", full, len(l.kinds), strangerKinds+1)
	}
	full = 0
	for i := range 100_000 {
		refuse(origin{proven: true, agent: true, name: fmt.Sprint("token ", i%8000)})
	}
	if want := provenKinds*provenEvents + provenEvents; full != want || len(l.kinds) > strangerKinds+1+provenKinds+1 {
		t.Errorf("%d refusals of tokens recorded in full, %d kinds tracked, want %d", full, len(l.kinds), want)
	}

	// The summaries account for the rest, and an hour later nothing is tracked.
	now = now.Add(time.Minute)
	events, done := l.summaries(now, false)
	done()
	repeated := 0
	for _, e := range events {
		var n int
		fmt.Sscanf(e.Detail, "repeated %d times", &n)
		repeated += n
		if e.AgentID != "" && !strings.Contains(e.Detail, " by token ") {
			t.Errorf("a summary of several origins names an agent: %+v", e)
		}
	}
	if want := 200_000 - (strangerKinds + 1) - (provenKinds*provenEvents + provenEvents); repeated != want {
		t.Errorf("the summaries account for %d refusals, want %d", repeated, want)
	}
	now = now.Add(time.Hour)
	if events, _ := l.summaries(now, false); len(events) != 0 || len(l.kinds) != 0 || l.proven != 0 {
		t.Errorf("after the flood: %d summaries, %d kinds, %d by credential", len(events), len(l.kinds), l.proven)
	}

	// New addresses are few a minute once the first ones are used up.
	full = 0
	for i := range 1000 {
		now = now.Add(time.Second)
		refuse(origin{name: fmt.Sprint("later ", i)})
	}
	if full > strangerKinds+110 {
		t.Errorf("%d of 1,000 new addresses in 1,000 s recorded in full", full)
	}
}

// A refusal is not counted as recorded before its event is on disk, and what a
// token's holder did is recorded with the agent.
func TestRefusalOfAKnownTokenNamesItsAgent(t *testing.T) {
	b, err := Open(context.Background(), quick)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const agentID = "spiffe://agentwrit.local/agent/o/t/0123456789abcdef"
	token := tokenFor(t, b, grant{subject: agentID, scope: []string{"read:data:x"}})
	for range 100 {
		r := httptest.NewRequest("GET", "/v1/audit/events", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		if b.Handler().ServeHTTP(w, r); w.Code != 403 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	b.writer.write(context.Background(), func(*change) error { return nil })
	events, total, err := b.store.Events(context.Background(), store.EventFilter{AgentID: agentID, Limit: 100})
	if err != nil || total != provenEvents {
		t.Errorf("%d events of the agent, want %d (%v)", total, provenEvents, err)
	}
	for _, e := range events {
		if e.EventType != wire.EventScopeViolation {
			t.Errorf("event %+v", e)
		}
	}
	summaries, _ := b.refusals.summaries(b.now(), true)
	if len(summaries) != 1 || summaries[0].AgentID != agentID || !strings.HasPrefix(summaries[0].Detail, "repeated 92 times ") {
		t.Errorf("summaries = %+v", summaries)
	}
}
