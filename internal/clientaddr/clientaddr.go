// Package clientaddr determines the address of an HTTP client, for limits. It is
// the peer of the connection or, if that is a trusted proxy, the address that the
// proxy names. A header that any other peer sends is ignored.
package clientaddr

import (
	"net/http"
	"net/netip"

	"github.com/go-chi/chi/v5/middleware"
)

// Forwarded returns a middleware that uses the X-Forwarded-For header of the
// trusted proxies.
func Forwarded(trusted []netip.Prefix) func(http.Handler) http.Handler {
	if len(trusted) == 0 {
		return func(next http.Handler) http.Handler { return next }
	}
	var prefixes []string
	for _, p := range trusted {
		prefixes = append(prefixes, p.String())
	}
	return middleware.ClientIPFromXFF(prefixes...)
}

// Of returns the client's address: the one that a trusted proxy names, or the
// peer of the connection if there is none or it can't be parsed. It is the zero
// address if there is no peer either.
func Of(r *http.Request) netip.Addr {
	if addr := middleware.GetClientIPAddr(r.Context()); addr.IsValid() {
		return addr.WithZone("") // free text
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

// Network returns the part of an address that a client can't choose freely: an
// IPv6 client usually has a whole /64 of addresses.
func Network(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
