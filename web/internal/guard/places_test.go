package guard

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devonartis/medassist-go/web/internal/respond"
)

func TestPlaces(t *testing.T) {
	p := newPlaces(10, 0)
	var left []func()
	take := func(addr netip.Addr, presenter bool) bool {
		leave, err := p.take(addr, presenter)
		if err == nil {
			left = append(left, leave)
		}
		return err == nil
	}
	taken := func(addr netip.Addr, presenter bool) (n int) {
		for range 200 {
			if !take(addr, presenter) {
				break
			}
			n++
		}
		return n
	}
	if n := taken(attacker, false); n != 5 {
		t.Errorf("one address takes %d of 10 places, want 5", n)
	}
	var full *respond.Error
	if _, err := p.take(attacker, false); !errors.As(err, &full) || full.Status != 503 || full.Retry == "" {
		t.Errorf("one more: %v", err)
	}
	if n := taken(netip.MustParseAddr("198.51.100.1"), false); n != 5 {
		t.Errorf("another address takes %d places, want the other 5", n)
	}
	if take(netip.MustParseAddr("198.51.100.2"), false) {
		t.Error("a viewer takes a place that is kept for the presenter")
	}
	if n := taken(attacker, true); n != presenterExtra {
		t.Errorf("the presenter has %d places while viewers have taken theirs, want %d", n, presenterExtra)
	}
	for _, leave := range left {
		leave()
	}
	if p.open != 0 || len(p.addresses) != 0 {
		t.Errorf("%d places at %d addresses are taken after all have left", p.open, len(p.addresses))
	}
}

// A stream holds a place for as long as it is open; HEAD holds none, and a
// refusal says when to try again.
func TestStreamsHavePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouterFor(New(Config{Key: key, Viewers: 2}))
		r.Stream("/frames", func(w http.ResponseWriter, req *http.Request) error {
			w.WriteHeader(http.StatusOK)
			if req.Method != http.MethodHead {
				<-req.Context().Done()
			}
			return nil
		})
		var open sync.WaitGroup
		// follow returns the status of a stream that was refused, or 0 if it is open.
		follow := func(ctx context.Context, method, header string) int {
			req := httptest.NewRequestWithContext(ctx, method, "/frames", nil)
			req.Header.Set(keyHeader, header)
			w := httptest.NewRecorder()
			ended := make(chan struct{})
			open.Go(func() {
				r.ServeHTTP(w, req)
				close(ended)
			})
			synctest.Wait()
			select {
			case <-ended:
				if w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
					t.Error("a refusal without Retry-After")
				}
				return w.Code
			default:
				return 0
			}
		}
		first, leave := context.WithCancel(t.Context())
		all, leaveAll := context.WithCancel(t.Context())
		for _, tc := range []struct {
			name   string
			ctx    context.Context
			method string
			key    string
			want   int
		}{
			{"a viewer", first, "GET", "", 0},
			{"the same address again", all, "GET", "", 503},
			{"and again: a refusal takes no place", all, "GET", "", 503},
			{"HEAD", all, "HEAD", "", 200},
			{"the presenter", all, "GET", key, 0},
			{"the presenter again", all, "GET", key, 0},
		} {
			if got := follow(tc.ctx, tc.method, tc.key); got != tc.want {
				t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
			}
		}
		leave()
		synctest.Wait()
		if got := follow(all, "GET", ""); got != 503 { // the presenter has both
			t.Errorf("a viewer after the presenter took the places: %d", got)
		}
		leaveAll()
		open.Wait()
		if r.guard.places.open != 0 {
			t.Errorf("%d places are taken after all have left", r.guard.places.open)
		}
	})
}

// A viewer can't use up what the broker allows the app to read, and all viewers
// together can't either. The presenter is not limited.
func TestReadsAreRationed(t *testing.T) {
	c := newClock()
	r := newRouterFor(New(Config{Key: key, Clock: c.Now}))
	r.GetCostly("/log", func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusNoContent); return nil })
	// read returns how many of n reads are answered.
	read := func(addr, key string, n int) (answered int) {
		for range n {
			req := httptest.NewRequest("GET", "/log", nil)
			req.RemoteAddr = addr + ":4711"
			req.Header.Set(keyHeader, key)
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			if w.Code == http.StatusNoContent {
				answered++
			} else if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
				t.Fatalf("%s: %d", addr, w.Code)
			}
		}
		return answered
	}
	if n := read("203.0.113.9", "", 1000); n != 60 {
		t.Errorf("one viewer reads %d times", n)
	}
	total := 60
	for i := range 10 {
		total += read(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String(), "", 100)
	}
	if total != 200 {
		t.Errorf("all viewers read %d times", total)
	}
	if n := read("192.0.2.1", key, 500); n != 500 {
		t.Errorf("the presenter reads %d of 500 times", n)
	}
	c.now = c.now.Add(time.Second)
	if n := read("203.0.113.9", "", 100); n != 3 {
		t.Errorf("one viewer reads %d times a second", n)
	}
}
