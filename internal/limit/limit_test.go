package limit

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

var now = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestAllow(t *testing.T) {
	l := New(10.0/60, 3)
	key := Key{addr("192.0.2.1"), "client"}
	for i := range 3 {
		if !l.Allow(key, now) {
			t.Fatalf("refused at %d of a burst of 3", i+1)
		}
	}
	if l.Allow(key, now) {
		t.Error("the fourth is allowed")
	}
	for name, other := range map[string]Key{
		"another client":  {addr("192.0.2.1"), "other"},
		"another address": {addr("192.0.2.2"), "client"},
	} {
		if !l.Allow(other, now) {
			t.Errorf("%s is refused", name)
		}
	}
	if !l.Allow(key, now.Add(6*time.Second)) {
		t.Error("refused after a token came back")
	}
	if l.Allow(key, now.Add(6*time.Second)) {
		t.Error("allowed without a token")
	}
}

func TestOneClientHasOneKey(t *testing.T) {
	l := New(1, 1)
	l.Allow(Key{Addr: addr("2001:db8::1")}, now)
	for _, same := range []string{"2001:db8::1", "2001:db8::ffff:1", "2001:db8::1%eth0"} {
		if l.Allow(Key{Addr: addr(same)}, now) {
			t.Errorf("%s has a bucket of its own", same)
		}
	}
	l.Allow(Key{Addr: addr("192.0.2.1")}, now)
	if l.Allow(Key{Addr: addr("::ffff:192.0.2.1")}, now) {
		t.Error("a mapped IPv4 address has a bucket of its own")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	l := New(1, 1)
	regular := Key{addr("192.0.2.1"), "regular"}
	l.Allow(regular, now)
	refused := 0
	for i := range maxKeys + 1000 {
		if !l.Allow(Key{addr("192.0.2.1"), fmt.Sprint(i)}, now) {
			refused++
		}
	}
	if refused != 1001 { // the regular key takes a place
		t.Errorf("%d new keys are refused beyond the limit, want 1001", refused)
	}
	if l.Len() > maxKeys {
		t.Errorf("%d keys are held, at most %d may be", l.Len(), maxKeys)
	}
	if l.Allow(regular, now) {
		t.Error("a flood of keys made the limiter forget one")
	}
	l.Sweep(now.Add(time.Second))
	if l.Len() != 0 {
		t.Errorf("%d keys are held that have all their tokens", l.Len())
	}
	if !l.Allow(Key{addr("192.0.2.1"), "new"}, now.Add(time.Second)) {
		t.Error("refused after the flood")
	}
}
