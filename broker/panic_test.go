package broker

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/nonce"
	"github.com/devonartis/medassist-go/broker/internal/revocation"
	"github.com/devonartis/medassist-go/broker/internal/store"
)

// An operation that panics after it has changed everything it can is undone, in
// memory and in the database. The other operations of its batch succeed.
func TestPanicInAnOperationIsItsCallersError(t *testing.T) {
	ctx := context.Background()
	var log bytes.Buffer
	b, err := Open(ctx, Config{SecretCost: bcrypt.MinCost, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const agentID = "spiffe://agentwrit.local/agent/o/t/0123456789abcdef"
	token := tokenFor(t, b, grant{subject: agentID, scope: []string{"read:data:x"}})
	claims, err := b.signer.Verify(token)
	if err != nil {
		t.Fatal(err)
	}
	challenge, _ := nonce.Parse(b.nonces.New(b.now()))
	before := b.audit.head()

	panics := func(c *change) error {
		c.spent[challenge] = struct{}{}
		c.record(wire.AuditEvent{EventType: wire.EventTokenRevoked, Detail: "undone"})
		c.then(func() { t.Error("a function ran after a commit that did not happen") })
		for _, err := range []error{
			c.revoke(revocation.Agent, agentID, 0, c.now.Add(maxTTL)),
			c.tx.InsertAgent(store.Agent{ID: agentID, PublicKey: []byte{}, ExpiresAt: c.now.Add(maxTTL)}),
			c.putApp(&store.App{ID: "app-1", Name: "one", ClientID: "client", SecretHash: []byte{}, Scopes: []string{"a:b:c"}, TokenTTL: maxTTL}),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		var none *store.App
		_ = none.ID
		return nil
	}
	succeeds := func(c *change) error {
		c.record(wire.AuditEvent{EventType: wire.EventTokenIssued, Detail: "kept"})
		return nil
	}

	hold, release := make(chan struct{}), make(chan struct{})
	go b.writer.write(ctx, func(*change) error {
		close(hold)
		<-release
		return nil
	})
	<-hold
	outcomes := make([]chan error, 3)
	for i, do := range []func(*change) error{succeeds, panics, succeeds} {
		outcomes[i] = make(chan error, 1)
		go func() { outcomes[i] <- b.writer.write(ctx, do) }()
		for len(b.writer.queue) <= i {
			time.Sleep(time.Millisecond)
		}
	}
	close(release)
	for i, want := range []error{nil, errInternal, nil} {
		if got := <-outcomes[i]; got != want {
			t.Errorf("operation %d = %v, want %v", i, got, want)
		}
	}

	if !b.valid(claims) || !b.nonces.Valid(challenge, b.now()) {
		t.Error("memory keeps what the operation did before it panicked")
	}
	if _, found := b.apps.get("app-1"); found {
		t.Error("the app of the operation that panicked is registered")
	}
	if kept, err := b.store.Revocations(ctx); err != nil || len(kept) != 0 {
		t.Errorf("revocations on disk: %v, %v", kept, err)
	}
	if n, err := b.store.ActiveAgents(ctx, time.Time{}); err != nil || n != 0 {
		t.Errorf("agents on disk: %d, %v", n, err)
	}
	events, total, err := b.store.Events(ctx, store.EventFilter{Limit: 10, Offset: int(before.Size)})
	if err != nil || total != int(before.Size)+2 || events[0].Detail != "kept" || events[1].Detail != "kept" {
		t.Errorf("events = %v of %d, %v", events, total, err)
	}
	if b.writer.fault.Load() != nil {
		t.Error("the panic counts as a storage failure")
	}
	if text := log.String(); !strings.Contains(text, "operation panicked") || !strings.Contains(text, "panic_test.go") {
		t.Errorf("log without cause or stack: %s", text)
	}
}
