package guard

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/devonartis/medassist-go/internal/clientaddr"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// Limits of wrong keys.
const (
	triesPerAddress = 10              // at once
	tryEvery        = time.Minute     // one more
	triesInTotal    = 200             // at once, from all addresses
	tryInTotalEvery = 2 * time.Second // one more
	maxAddresses    = 10_000          // that are remembered
	sweepEvery      = time.Second     // at most, of a full table
)

// tries limits wrong keys, by address and in total. An address that has sent no
// wrong key may always try, so nobody elsewhere can lock the presenter out: the
// total limits the other tries. While the table of addresses is full, which takes
// a network of attackers, all others share one limit. Safe for concurrent use.
type tries struct {
	now func() time.Time

	mu        sync.Mutex
	addresses map[netip.Addr]*rate.Limiter // those that have sent wrong keys
	total     *rate.Limiter
	swept     time.Time
	others    *rate.Limiter // of addresses that are not in a full table
}

func newTries(now func() time.Time) *tries {
	return &tries{now: now, addresses: make(map[netip.Addr]*rate.Limiter),
		total: rate.NewLimiter(rate.Every(tryInTotalEvery), triesInTotal), others: newAllowance()}
}

// newAllowance returns the limiter of one address.
func newAllowance() *rate.Limiter { return rate.NewLimiter(rate.Every(tryEvery), triesPerAddress) }

// try compares a key, which right does, unless the client at addr has to wait.
// A right key makes the address's wrong ones forgotten.
func (t *tries) try(addr netip.Addr, right func() bool) (ok bool, wait time.Duration) {
	addr = clientaddr.Network(addr)
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	left, known := t.addresses[addr]
	full := !known && len(t.addresses) >= maxAddresses
	if full && now.Sub(t.swept) >= sweepEvery {
		t.sweep(now)
		full = len(t.addresses) >= maxAddresses
	}
	switch {
	case full:
		left = t.others
	case !known:
		left = newAllowance()
	}
	wait = untilNext(left, now)
	if known || full {
		wait = max(wait, untilNext(t.total, now))
	}
	if wait > 0 {
		return false, wait
	}
	if right() {
		delete(t.addresses, addr)
		return true, 0
	}
	left.AllowN(now, 1)
	t.total.AllowN(now, 1)
	if !full {
		t.addresses[addr] = left
	}
	return false, 0
}

// untilNext returns the time until a limiter has a token, 0 if it has one.
func untilNext(l *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - l.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing/float64(l.Limit())*float64(time.Second)) + time.Millisecond
}

// sweep forgets the addresses whose wrong keys are long ago.
func (t *tries) sweep(now time.Time) {
	t.swept = now
	for addr, left := range t.addresses {
		if left.TokensAt(now) >= triesPerAddress {
			delete(t.addresses, addr)
		}
	}
}

func tooManyTries(wait time.Duration) *respond.Error {
	seconds := int(wait/time.Second) + 1
	return &respond.Error{Status: http.StatusTooManyRequests, Retry: strconv.Itoa(seconds),
		Detail: fmt.Sprintf("Too many wrong keys came from your address. Wait %s, then try again with the key that was printed at startup. "+
			"A browser that has entered the key before still works, and so does another network.", text.Count(seconds, "second"))}
}
