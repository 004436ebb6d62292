package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/nonce"
	"github.com/devonartis/medassist-go/broker/internal/revocation"
	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/internal/limit"
)

// quick is a configuration whose secrets cost little to check.
var quick = Config{SecretCost: bcrypt.MinCost}

// ask calls the handler without a network between.
func ask(b *Broker, method, path string, body any) *httptest.ResponseRecorder {
	var text []byte
	switch v := body.(type) {
	case nil:
	case string:
		text = []byte(v)
	default:
		var err error
		if text, err = json.Marshal(v); err != nil {
			panic(err)
		}
	}
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, httptest.NewRequest(method, path, bytes.NewReader(text)))
	return w
}

// Expired records are deleted, in memory and on disk.
func TestExpiredRecordsAreDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b, err := Open(ctx, quick)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()

		fill := func(c *change, i int) error {
			id := fmt.Sprintf("spiffe://agentwrit.local/agent/o/t/%016x", i)
			claims, err := c.issue(grant{kind: kindAgent, subject: id, ttl: maxTTL})
			if err != nil {
				return err
			}
			if err := c.tx.InsertAgent(store.Agent{ID: id, PublicKey: []byte{}, Delegated: true, ExpiresAt: expiry(claims)}); err != nil {
				return err
			}
			spent, _ := nonce.Parse(b.nonces.New(b.now()))
			c.spent[spent] = struct{}{}
			if err := c.revokeAgent(id); err != nil {
				return err
			}
			if err := c.revoke(revocation.Task, fmt.Sprint("t", i), 0, c.now.Add(maxTTL)); err != nil {
				return err
			}
			return c.endToken(store.Token{ID: claims.ID, Subject: id, ExpiresAt: expiry(claims)})
		}
		if err := b.writer.write(ctx, func(c *change) error {
			for i := range 2 * sweepRows {
				if err := fill(c, i); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for i := range 2 * sweepRows {
			b.limits.app.Allow(limit.Key{Client: fmt.Sprint(i)}, b.now())
		}
		if b.revoked.Len() < 6*sweepRows || b.nonces.Len() < 2*sweepRows || b.limits.app.Len() < 2*sweepRows {
			t.Fatalf("before: %d revocations, %d nonces, %d limits", b.revoked.Len(), b.nonces.Len(), b.limits.app.Len())
		}

		time.Sleep(wire.NonceTTL*time.Second + sweepEvery)
		if b.nonces.Len() != 0 || b.limits.app.Len() != 0 {
			t.Errorf("after a nonce's life: %d nonces, %d limits", b.nonces.Len(), b.limits.app.Len())
		}
		if b.revoked.Len() < 6*sweepRows {
			t.Errorf("%d revocations left while the tokens they revoke could be valid", b.revoked.Len())
		}
		time.Sleep(maxTTL + revocationMargin + time.Minute)
		if n := b.revoked.Len(); n != 0 {
			t.Errorf("after a day: %d revocations in memory", n)
		}
		if kept, err := b.store.Revocations(ctx); err != nil || len(kept) != 0 {
			t.Errorf("after a day: %d revocations on disk, %v", len(kept), err)
		}
		if n, err := b.store.ActiveAgents(ctx, time.Time{}); err != nil || n != 0 {
			t.Errorf("after a day: %d agents, %v", n, err)
		}
	})
}

// A hundred thousand unanswered challenges and some oversized requests leave memory
// as it was. A broker that kept a megabyte of each round would hold three times what
// is allowed.
func TestMemoryStaysFlat(t *testing.T) {
	b, err := Open(context.Background(), quick)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	scopes := make([]string, 8000)
	for i := range scopes {
		scopes[i] = fmt.Sprintf("read:records:p%d", i)
	}
	megabyte := strings.Repeat("x", 1_000_000)
	hostile := func(i int) {
		for _, r := range []struct {
			method, path string
			body         any
		}{
			{"POST", "/v1/app/auth", wire.AppAuthRequest{ClientID: fmt.Sprint(i, megabyte), ClientSecret: megabyte[:8]}},
			{"POST", "/v1/register", wire.RegisterRequest{LaunchToken: megabyte[:99], Nonce: "x", PublicKey: "x", Signature: "x", OrchID: "o", TaskID: "t", RequestedScope: scopes}},
			{"POST", "/v1/register", wire.RegisterRequest{LaunchToken: "x", Nonce: "x", PublicKey: "x", Signature: "x", OrchID: megabyte, TaskID: "t", RequestedScope: scopes[:1]}},
			{"POST", "/v1/token/validate", wire.ValidateRequest{Token: megabyte}},
			{"GET", "/v1/" + megabyte[:8000] + fmt.Sprint(i), nil},
			{"POST", "/v1/admin/auth", `{"secret":"` + megabyte},
		} {
			if w := ask(b, r.method, r.path, r.body); w.Code < 200 || w.Code >= 500 || w.Body.Len() > 4096 {
				t.Fatalf("%s %.40s: %d, %d bytes", r.method, r.path, w.Code, w.Body.Len())
			}
		}
	}

	challenges, rounds := 100_000, 12
	if testing.Short() {
		challenges, rounds = 20_000, 6
	}
	hostile(0)
	before := heap()
	for range challenges {
		if w := ask(b, "GET", "/v1/challenge", nil); w.Code != http.StatusOK {
			t.Fatalf("challenge: %d", w.Code)
		}
	}
	for i := range rounds {
		hostile(i)
	}
	if after := heap(); after > before+4<<20 {
		t.Errorf("the heap grew from %d to %d KiB", before>>10, after>>10)
	}
}
