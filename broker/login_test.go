package broker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/internal/limit"
)

// However many unknown clients wait, a known client's secret is compared.
func TestUnknownClientsDoNotOccupyTheQueue(t *testing.T) {
	l := newLogins(bcrypt.MinCost)
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	entered := make(chan struct{}, 200)
	waiting := make(chan error, 200)
	for range 200 {
		go func() {
			waiting <- l.do(ctx, func() { entered <- struct{}{}; <-ctx.Done() }, l.unknown, l.slots)
		}()
	}
	<-entered
	ok, err := l.check(context.Background(), &store.App{SecretHash: hash}, "secret")
	if !ok || err != nil {
		t.Errorf("the known client: %t, %v", ok, err)
	}
	if len(entered) != 0 {
		t.Errorf("%d unknown clients are compared at once, want 1", len(entered)+1)
	}
	cancel()
	refused := 0
	for range 200 {
		if r, ok := errors.AsType[*refusal](<-waiting); ok && r.retryAfter > 0 {
			refused++
		}
	}
	if refused == 0 {
		t.Error("no unknown client is refused when the caller gives up")
	}
}

// A flood of invented client IDs, from any number of addresses, takes no place in
// the limits of registered clients.
func TestInventedClientsDoNotFillTheLimits(t *testing.T) {
	l := newLimits()
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for i := range 200_000 {
		l.allowApp(limit.Key{Addr: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Client: fmt.Sprint(i)}, false, now)
	}
	if l.app.Len() != 0 || !l.allowApp(limit.Key{Addr: netip.MustParseAddr("192.0.2.1"), Client: "real"}, true, now) {
		t.Errorf("%d keys in the limits of registered clients, or the real one is refused", l.app.Len())
	}
}
