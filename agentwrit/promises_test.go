package agentwrit_test

import (
	"errors"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// The promises are what the broker answers, and the agents that ask are released.
func TestPromises(t *testing.T) { brokertest.Each(t, testPromises) }

func testPromises(t *testing.T, b *brokertest.Broker) {
	want := agentwrit.Promises{Keys: agentwrit.NotKept, Checkpoints: agentwrit.NotKept, Cascade: agentwrit.NotKept}
	if b.Strict {
		want = agentwrit.Promises{Keys: agentwrit.Kept, Checkpoints: agentwrit.Kept, Cascade: agentwrit.Kept}
	}
	before := releases(t, b)
	got, err := b.App(t, "read:data:*").Promises(t.Context(), "read:data:probe")
	if err != nil || got != want || !got.Known() {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	// The delegated token has ended with its delegator's, or was released.
	if n := releases(t, b) - before; b.Strict && n != 2 {
		t.Errorf("%d tokens were released, want 2", n)
	}
}

func releases(t *testing.T, b *brokertest.Broker) int {
	t.Helper()
	page, err := b.Admin(t).AuditPage(t.Context(), agentwrit.AuditFilter{EventType: agentwrit.EventTokenReleased, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return page.Total
}

// What the broker does not answer stays unknown.
func TestPromisesUnknown(t *testing.T) {
	t.Parallel()
	app, err := agentwrit.NewApp("http://127.0.0.1:1", "id", "secret")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := app.Promises(t.Context(), "read:data:x"); p != (agentwrit.Promises{}) || !errors.Is(err, agentwrit.ErrTransport) {
		t.Errorf("%+v, %v", p, err)
	}
	// A scope above the ceiling leaves the question open that needs agents.
	p, err := brokertest.Start(t).App(t, "read:data:*").Promises(t.Context(), "read:other:x")
	if p.Keys != agentwrit.Kept || p.Cascade != agentwrit.Unknown || !errors.Is(err, agentwrit.ErrAuthorization) {
		t.Errorf("%+v, %v", p, err)
	}
}
