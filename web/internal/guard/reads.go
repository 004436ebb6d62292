package guard

import (
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"github.com/devonartis/medassist-go/internal/clientaddr"
	"github.com/devonartis/medassist-go/internal/limit"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// reads limits how often viewers read the broker's audit log. For the broker the
// app is one client, so one viewer could use up what it allows for everyone.
// Safe for concurrent use.
type reads struct {
	now        func() time.Time
	perAddress *limit.Limiter
	total      *rate.Limiter
}

func newReads(now func() time.Time) *reads {
	return &reads{now, limit.New(3, 60), rate.NewLimiter(10, 200)}
}

var tooManyReads = &respond.Error{Status: http.StatusTooManyRequests, Retry: "2",
	Detail: "Viewers are reading the audit log very often. Wait two seconds, then try again."}

// allow takes a read of a viewer.
func (l *reads) allow(addr netip.Addr) bool {
	now := l.now()
	return l.perAddress.Allow(limit.Key{Addr: addr}, now) && l.total.AllowN(now, 1)
}

// rationed returns a handler that takes one of the viewers' reads. The presenter's
// are not limited.
func (r *Router) rationed(h respond.HandlerFunc) respond.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) error {
		if !IsPresenter(req) && !r.guard.reads.allow(clientaddr.Of(req)) {
			return tooManyReads
		}
		return h(w, req)
	}
}
