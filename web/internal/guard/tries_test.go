package guard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	attacker = netip.MustParseAddr("203.0.113.9")
	stage    = netip.MustParseAddr("192.0.2.1")
)

// clock is a clock that tests set.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time { return c.now }

func wrong() bool { return false }
func right() bool { return true }

// An address that has sent too many wrong keys has to wait, also with the right
// one. Others don't.
func TestWrongKeysAreLimited(t *testing.T) {
	c := newClock()
	tries := newTries(c.Now)
	for i := range triesPerAddress {
		if _, wait := tries.try(attacker, wrong); wait > 0 {
			t.Fatalf("wrong key %d has to wait %s", i+1, wait)
		}
	}
	for name, key := range map[string]func() bool{"a wrong key": wrong, "the right key": right} {
		if ok, wait := tries.try(attacker, key); ok || wait <= 0 || wait > tryEvery+time.Second {
			t.Errorf("%s over the limit: %v, %s", name, ok, wait)
		}
	}
	if ok, wait := tries.try(stage, right); !ok || wait > 0 {
		t.Errorf("the presenter elsewhere: %v, %s", ok, wait)
	}
	_, wait := tries.try(attacker, wrong)
	c.now = c.now.Add(wait)
	if _, wait := tries.try(attacker, wrong); wait > 0 {
		t.Errorf("after the wait: another %s", wait)
	}
	if _, wait := tries.try(attacker, wrong); wait <= 0 {
		t.Error("two tries after one wait")
	}
}

// A right key within the limit makes the wrong ones forgotten.
func TestRightKeyClears(t *testing.T) {
	tries := newTries(newClock().Now)
	for range 3 {
		for range triesPerAddress - 1 {
			tries.try(stage, wrong)
		}
		if ok, wait := tries.try(stage, right); !ok || wait > 0 {
			t.Fatalf("the right key: %v, %s", ok, wait)
		}
	}
	if len(tries.addresses) > 0 {
		t.Errorf("%d addresses are remembered", len(tries.addresses))
	}
}

// Many addresses share a total. It does not lock out one that has sent nothing yet.
func TestWrongKeysFromManyAddresses(t *testing.T) {
	c := newClock()
	tries := newTries(c.Now)
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	made := 0
	for i := range 1000 {
		for range triesPerAddress {
			if _, wait := tries.try(address(i), wrong); wait == 0 {
				made++
			}
		}
	}
	if most := triesInTotal + 1000; made > most {
		t.Errorf("1,000 addresses made %d tries, at most %d should be", made, most)
	}
	if ok, wait := tries.try(stage, right); !ok || wait > 0 {
		t.Errorf("the presenter during the attack: %v, %s", ok, wait)
	}
	for i := range 2 * maxAddresses {
		tries.try(address(i), wrong)
	}
	if n := len(tries.addresses); n > maxAddresses {
		t.Errorf("%d addresses are remembered", n)
	}
	if ok, wait := tries.try(stage, right); ok || wait <= 0 {
		t.Errorf("with a full table: %v, %s", ok, wait)
	}
	c.now = c.now.Add(tryEvery * triesPerAddress)
	if ok, wait := tries.try(stage, right); !ok || wait > 0 {
		t.Errorf("after the attack: %v, %s", ok, wait)
	}
}

// An IPv6 client can't choose a new address for each try.
func TestOneNetworkIsOneClient(t *testing.T) {
	tries := newTries(newClock().Now)
	for i := range triesPerAddress {
		tries.try(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)), wrong)
	}
	if _, wait := tries.try(netip.MustParseAddr("2001:db8::ffff"), wrong); wait <= 0 {
		t.Error("another address of the same network may go on")
	}
	if _, wait := tries.try(netip.MustParseAddr("2001:db8:0:1::1"), wrong); wait > 0 {
		t.Error("another network may not try")
	}
}

// Over the limit every way to present the key is refused, with what to do. A
// cookie from before still works, and a header that the client invents does not
// make it another client.
func TestTooManyWrongKeys(t *testing.T) {
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	ways := map[string]func(key string) *http.Request{
		"header": func(key string) *http.Request {
			r := httptest.NewRequest("POST", "/change", nil)
			r.Header.Set(keyHeader, key)
			return r
		},
		"form": func(key string) *http.Request {
			r := httptest.NewRequest("POST", "/key", strings.NewReader(url.Values{"key": {key}}.Encode()))
			r.Header = form.Clone()
			return r
		},
		"link": func(key string) *http.Request {
			return httptest.NewRequest("GET", "/?key="+url.QueryEscape(key), nil)
		},
	}
	for name, way := range ways {
		r := newRouter(key)
		n := 0
		call := func(req *http.Request) *httptest.ResponseRecorder {
			n++
			req.RemoteAddr = "203.0.113.9:4711"
			req.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", n))
			req.Header.Set("Accept", "text/html")
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			return w
		}
		for range triesPerAddress {
			if got := call(way("wrong")); got.Code == http.StatusTooManyRequests || len(got.Result().Cookies()) > 0 {
				t.Fatalf("%s: a wrong key within the limit: %d", name, got.Code)
			}
		}
		for what, req := range map[string]*http.Request{"a wrong key": way("wrong"), "the key": way(key)} {
			got := call(req)
			seconds, _ := strconv.Atoi(got.Header().Get("Retry-After"))
			if got.Code != http.StatusTooManyRequests || seconds < 1 || seconds > 61 || !strings.Contains(got.Body.String(), "then try again") || len(got.Result().Cookies()) > 0 {
				t.Errorf("%s by %s over the limit: %d, Retry-After %d, %s", what, name, got.Code, seconds, got.Body)
			}
		}
		known := httptest.NewRequest("POST", "/change", nil)
		known.Header.Set("Cookie", cookieOf(key))
		if got := call(known); got.Code != http.StatusNoContent {
			t.Errorf("%s: a browser that entered the key before: %d", name, got.Code)
		}
		if got := call(httptest.NewRequest("GET", "/read", nil)); got.Code != http.StatusNoContent {
			t.Errorf("%s: watching: %d", name, got.Code)
		}
		elsewhere := way(key)
		elsewhere.RemoteAddr = "192.0.2.1:4711"
		w := httptest.NewRecorder()
		r.ServeHTTP(w, elsewhere)
		if w.Code >= 400 {
			t.Errorf("the key by %s at another address: %d", name, w.Code)
		}
	}
}

// Behind a trusted proxy the limit is the client's, not the proxy's.
func TestWrongKeysBehindAProxy(t *testing.T) {
	r := newRouterFor(New(Config{Key: key, Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}))
	call := func(client, key string) int {
		req := httptest.NewRequest("POST", "/change", nil)
		req.RemoteAddr = "192.0.2.5:4711"
		req.Header.Set("X-Forwarded-For", client)
		req.Header.Set(keyHeader, key)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		return w.Code
	}
	for range triesPerAddress {
		call("203.0.113.9", "wrong")
	}
	if got := call("203.0.113.9", key); got != http.StatusTooManyRequests {
		t.Errorf("the attacker: %d", got)
	}
	if got := call("198.51.100.1, 203.0.113.9", key); got != http.StatusTooManyRequests {
		t.Errorf("the attacker with an invented address: %d", got)
	}
	if got := call("203.0.113.10", key); got != http.StatusNoContent {
		t.Errorf("the presenter: %d", got)
	}
}

// A full table remembers no further address, though others may still try.
func TestFullTable(t *testing.T) {
	c := newClock()
	tries := newTries(c.Now)
	for i := range maxAddresses {
		left := newAllowance()
		left.AllowN(c.now, 1)
		tries.addresses[netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})] = left
	}
	for i := range 2 * triesPerAddress {
		if _, wait := tries.try(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), wrong); (wait > 0) != (i >= triesPerAddress) {
			t.Errorf("try %d of addresses beyond the table waits %s", i+1, wait)
		}
	}
	if n := len(tries.addresses); n != maxAddresses {
		t.Errorf("%d addresses are remembered", n)
	}
}
