package guard

import (
	"cmp"
	"net/http"
	"net/netip"
	"sync"

	"github.com/devonartis/medassist-go/internal/clientaddr"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// Places for streams.
const (
	defaultViewers = 2000
	presenterExtra = 64 // beyond those of the viewers, for the presenter alone
)

var (
	allTaken = &respond.Error{Status: http.StatusServiceUnavailable, Retry: "10",
		Detail: "All places for viewers are taken. This page tries again by itself; close other tabs that show this demo."}
	addressFull = &respond.Error{Status: http.StatusServiceUnavailable, Retry: "10",
		Detail: "All places for viewers at your network's address are taken. This page tries again by itself; close other tabs that show this demo, or use another network."}
)

// places counts the open streams. Viewers at one address, which may be a whole
// room behind one router, can't take all of them, and some are kept for the
// presenter, whose projector is never refused because of viewers. Safe for
// concurrent use.
type places struct {
	viewers, perAddress int

	mu        sync.Mutex
	open      int                // of viewers and the presenter
	addresses map[netip.Addr]int // of viewers
}

// ViewerLimits returns how many streams viewers may have open, and how many of
// them at one address: what is configured, or where that is 0, 2000 and half of all.
func ViewerLimits(viewers, perAddress int) (total, ofOne int) {
	total = cmp.Or(viewers, defaultViewers)
	return total, cmp.Or(perAddress, (total+1)/2)
}

func newPlaces(viewers, perAddress int) *places {
	total, ofOne := ViewerLimits(viewers, perAddress)
	return &places{viewers: total, perAddress: ofOne, addresses: make(map[netip.Addr]int)}
}

// take takes a place. The caller gives it back with leave.
func (p *places) take(addr netip.Addr, presenter bool) (leave func(), err error) {
	addr = clientaddr.Network(addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := p.viewers
	if presenter {
		limit += presenterExtra
	}
	switch {
	case p.open >= limit:
		return nil, allTaken
	case !presenter && p.addresses[addr] >= p.perAddress:
		return nil, addressFull
	}
	p.open++
	if !presenter {
		p.addresses[addr]++
	}
	return func() { p.leave(addr, presenter) }, nil
}

func (p *places) leave(addr netip.Addr, presenter bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	if presenter {
		return
	}
	if p.addresses[addr]--; p.addresses[addr] == 0 {
		delete(p.addresses, addr)
	}
}

// placed returns a handler that takes a place while h runs. HEAD, which opens no
// stream, takes none.
func (r *Router) placed(h respond.HandlerFunc) respond.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) error {
		if req.Method == http.MethodHead {
			return h(w, req)
		}
		leave, err := r.guard.places.take(clientaddr.Of(req), IsPresenter(req))
		if err != nil {
			return err
		}
		defer leave()
		return h(w, req)
	}
}
