package broker_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// from makes a request appear to come from an address, through a trusted proxy.
func from(addr string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("X-Forwarded-For", addr) }
}

func behindProxy() broker.Config {
	return broker.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
}

func TestAdminLoginsAreLimitedByAddress(t *testing.T) {
	perBroker(t, "limits")
	h := start(t, behindProxy())
	login := func(addr, secret string) answer {
		return h.call("POST", "/v1/admin/auth", "", wire.AdminAuthRequest{Secret: secret}, from(addr))
	}
	for range 10 {
		if a := login("192.0.2.1", "wrong secret"); a.status != 401 {
			t.Fatalf("wrong secret: %d %s", a.status, a.body)
		}
	}
	a := login("192.0.2.1", h.b.AdminSecret())
	if a.status != 429 || a.problem(t).ErrorCode != wire.CodeRateLimited || a.header.Get("Retry-After") != "1" {
		t.Errorf("the eleventh: %d %s, Retry-After %q", a.status, a.body, a.header.Get("Retry-After"))
	}
	if a := login("192.0.2.2", h.b.AdminSecret()); a.status != 200 {
		t.Errorf("another address: %d %s", a.status, a.body)
	}
	h.clock.advance(time.Second)
	if a := login("192.0.2.1", h.b.AdminSecret()); a.status != 200 {
		t.Errorf("a second later: %d %s", a.status, a.body)
	}
}

func TestAppLoginsAreLimitedByClientAndAddress(t *testing.T) {
	perBroker(t, "limits")
	h := start(t, behindProxy())
	admin := h.admin()
	clinic := h.register(admin, "clinic", "read:records:*")
	login := func(addr, secret string) answer {
		return h.call("POST", "/v1/app/auth", "", wire.AppAuthRequest{ClientID: clinic.ClientID, ClientSecret: secret}, from(addr))
	}
	for range 3 {
		if a := login("192.0.2.1", "wrong"); a.status != 401 {
			t.Fatalf("wrong secret: %d %s", a.status, a.body)
		}
	}
	for range 20 {
		a := login("192.0.2.1", "wrong")
		if a.status != 429 || a.header.Get("Retry-After") != "60" {
			t.Fatalf("over the limit: %d %s", a.status, a.body)
		}
	}
	// The real app, elsewhere, is not locked out by it.
	for range 3 {
		if a := login("192.0.2.9", clinic.ClientSecret); a.status != 200 {
			t.Errorf("the real app: %d %s", a.status, a.body)
		}
	}
	// A flood of refusals does not fill the audit log.
	if n := len(h.events(admin, "event_type=app_rate_limited")); n != 1 {
		t.Errorf("%d app_rate_limited events for one run of refusals, want 1", n)
	}
}

// Guessing client IDs from one address is limited, and the app at the same address
// is not affected: its limit is its own.
func TestInventedClientIDs(t *testing.T) {
	perBroker(t, "limits")
	t.Parallel()
	h := start(t, behindProxy())
	clinic := h.register(h.admin(), "clinic", "read:records:*")
	refused := 0
	for i := range 60 {
		a := h.call("POST", "/v1/app/auth", "", wire.AppAuthRequest{ClientID: fmt.Sprint("guess-", i), ClientSecret: "x"}, from("192.0.2.1"))
		if a.status == 429 {
			refused++
		}
	}
	if refused != 40 {
		t.Errorf("%d of 60 guesses from one address at one moment refused, want 40", refused)
	}
	if a := h.call("POST", "/v1/app/auth", "", wire.AppAuthRequest{ClientID: "guess-1", ClientSecret: "x"}, from("192.0.2.2")); a.status != 401 {
		t.Errorf("a guess from another address: %d %s", a.status, a.body)
	}
	if a := h.call("POST", "/v1/app/auth", "", wire.AppAuthRequest{ClientID: clinic.ClientID, ClientSecret: clinic.ClientSecret}, from("192.0.2.1")); a.status != 200 {
		t.Errorf("the real app at the same address: %d %s", a.status, a.body)
	}
}

func TestForwardedAddressIsUsedFromTrustedProxiesOnly(t *testing.T) {
	perBroker(t, "limits")
	h := start(t, broker.Config{}) // trusts no proxy
	limited := false
	for i := range 12 {
		a := h.call("POST", "/v1/admin/auth", "", wire.AdminAuthRequest{Secret: "wrong secret"}, from(fmt.Sprintf("192.0.2.%d", i)))
		limited = limited || a.status == 429
	}
	if !limited {
		t.Error("a client that names another address each time is never limited")
	}

	h = start(t, behindProxy())
	limited = false
	for i := range 12 { // what even a trusted proxy can't mean counts as the proxy's own
		a := h.call("POST", "/v1/admin/auth", "", wire.AdminAuthRequest{Secret: "wrong secret"}, from(fmt.Sprintf("nonsense %d", i)))
		limited = limited || a.status == 429
	}
	if !limited {
		t.Error("a client whose address can't be read is never limited")
	}
}

// A client that does not exist takes as long as a wrong secret: the bcrypt is
// what takes time.
func TestUnknownClientTakesAsLongAsAWrongSecret(t *testing.T) {
	cfg := behindProxy()
	cfg.SecretCost = bcrypt.DefaultCost - 1
	h := start(t, cfg)
	admin := h.admin()
	fastest := func(clientID, secret string) time.Duration {
		best := time.Hour
		for i := range 3 {
			began := time.Now()
			a := h.call("POST", "/v1/app/auth", "", wire.AppAuthRequest{ClientID: clientID, ClientSecret: secret}, from(fmt.Sprintf("192.0.2.%d", i)))
			best = min(best, time.Since(began))
			if a.status != 401 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		return best
	}
	known := h.register(admin, "clinic", "read:records:*")
	wrong := fastest(known.ClientID, "wrong")
	for what, got := range map[string]time.Duration{
		"an unknown client":      fastest("client-0123456789abcdef", "wrong"),
		"a client of a megabyte": fastest(strings.Repeat("x", 1<<19), "wrong"),
		"a secret of a megabyte": fastest(known.ClientID, strings.Repeat("x", 1<<19)),
	} {
		// Without the rule the ratio is 45; a busy machine makes it 3.
		if got < wrong/10 || got > wrong*10 {
			t.Errorf("%s takes %v, a wrong secret %v", what, got, wrong)
		}
	}
}

// Reads of the database are limited by client address and size, so that one
// client's exports can't take the processors from everybody else.
func TestReadsAreLimited(t *testing.T) {
	perBroker(t, "limits")
	h := start(t, behindProxy())
	admin := h.admin()
	for i, tt := range []struct {
		path string
		cost int
	}{
		{"/v1/audit/events?limit=1000", 5}, {"/v1/audit/events", 1}, {"/v1/admin/apps", 5}, {"/v1/metrics", 5}, {"/v1/admin/apps/none", 1},
	} {
		path, cost, tokens := tt.path, tt.cost, 2000 // the first finds a full bucket
		if i > 0 {
			h.clock.advance(time.Second)
			tokens = 100 // of an empty one, a second later
		}
		allowed := 0
		var last answer
		for range tokens + 1 {
			if last = h.call("GET", path, admin, nil, from("192.0.2.1")); last.status == 429 {
				break
			}
			allowed++
		}
		if allowed != tokens/cost {
			t.Errorf("%s: %d requests at one moment, want %d", path, allowed, tokens/cost)
		}
		if p := last.problem(t); p.ErrorCode != wire.CodeRateLimited || last.header.Get("Retry-After") != "1" {
			t.Errorf("%s: %+v, Retry-After %q", path, p, last.header.Get("Retry-After"))
		}
		if a := h.call("GET", path, admin, nil, from("192.0.2.2")); a.status == 429 {
			t.Errorf("%s: another client is refused", path)
		}
		h.mustBeValid("a token", admin)
	}
}
