package broker

import (
	"net/netip"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/limit"
)

// limits are the broker's rate limits (docs/protocol.md, "Rate limits").
type limits struct {
	admin    *limit.Limiter // logins by address
	app      *limit.Limiter // logins by client and address
	failures *limit.Limiter // failed app logins by address
}

func newLimits() *limits {
	return &limits{
		admin: limit.New(5, 10),
		app:   limit.New(10.0/60, 3),
		// Each guessed client ID costs one bcrypt. The budget is far above the
		// failures of a machine with many apps.
		failures: limit.New(2, 100),
	}
}

func (l *limits) sweep(now time.Time) {
	l.admin.Sweep(now)
	l.app.Sweep(now)
	l.failures.Sweep(now)
}

const (
	adminRetryAfter = time.Second
	appRetryAfter   = time.Minute
)

func rateLimited(retryAfter time.Duration) *refusal {
	return &refusal{code: wire.CodeRateLimited, detail: "rate limit exceeded", retryAfter: retryAfter}
}

func byAddress(a netip.Addr) limit.Key { return limit.Key{Addr: a} }
