package broker

import (
	"net/netip"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/limit"
)

// limits are the broker's rate limits (docs/protocol.md, "Rate limits").
type limits struct {
	admin   *limit.Limiter // logins by address
	app     *limit.Limiter // logins of registered clients, by client and address
	unknown *limit.Limiter // logins of other clients, by client and address
	guesses *limit.Limiter // logins of other clients, by address
	reads   *limit.Limiter // reads of the database, by address
}

func newLimits() *limits {
	return &limits{
		admin: limit.New(5, 10),
		app:   limit.New(appLoginsPerSecond, appLoginBurst),
		// Separate from those of registered clients: however many client IDs
		// are invented, at whatever address, the limits of the real apps stay.
		unknown: limit.New(appLoginsPerSecond, appLoginBurst),
		guesses: limit.New(1, 20),
		reads:   limit.New(100, 2000),
	}
}

const (
	appLoginsPerSecond = 10.0 / 60
	appLoginBurst      = 3
)

// allowApp takes the cost of an app login, before it is incurred.
func (l *limits) allowApp(key limit.Key, registered bool, now time.Time) bool {
	if registered {
		return l.app.Allow(key, now)
	}
	return l.guesses.Allow(byAddress(key.Addr), now) && l.unknown.Allow(key, now)
}

func (l *limits) sweep(now time.Time) {
	l.admin.Sweep(now)
	l.app.Sweep(now)
	l.unknown.Sweep(now)
	l.guesses.Sweep(now)
	l.reads.Sweep(now)
}

const (
	adminRetryAfter = time.Second
	appRetryAfter   = time.Minute
	readRetryAfter  = time.Second
)

func rateLimited(retryAfter time.Duration) *refusal {
	return &refusal{code: wire.CodeRateLimited, detail: "rate limit exceeded", retryAfter: retryAfter}
}

func byAddress(a netip.Addr) limit.Key { return limit.Key{Addr: a} }

// eventsPerToken is how many audit events a token of the limit on reads pays for.
const eventsPerToken = 250

// read charges a client for a read of the database, by the number of rows it may
// return. Reads never delay the writer, but they share the processors with it.
func (b *Broker) read(r *request, rows int) error {
	if !b.limits.reads.AllowN(byAddress(r.addr), b.now(), 1+rows/eventsPerToken) {
		return rateLimited(readRetryAfter)
	}
	return nil
}
