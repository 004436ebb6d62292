package broker

import (
	"context"
	"mime"
	"net"
	"net/http"
	"slices"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/hostname"
)

// guard refuses requests that a web page can make a browser send to the broker,
// before they have any effect: they would use up the rate limits of the browser's
// user, or reach a broker that only this machine should reach.
//
//   - A page of another origin: the browser names it in Sec-Fetch-Site or Origin.
//   - A body of a type that a page can send without asking. Form data is accepted,
//     because it is what `curl -d` calls a body of any kind.
//   - A host name that an attacker's name server resolves to this machine (DNS
//     rebinding), if the broker listens on loopback only.
func (b *Broker) guard(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Context().Value(loopbackKey{}) != nil && !b.localHost(r.Host):
			b.problem(w, r, refuse(wire.CodeForbidden, "unknown host name"))
		case origins.Check(r) != nil:
			b.problem(w, r, refuse(wire.CodeForbidden, "cross-origin requests are refused"))
		case !acceptableBody(r.Header.Get("Content-Type")):
			b.problem(w, r, refuse(wire.CodeInvalidRequest, "content type must be application/json"))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// loopbackKey is the context key of requests to a listener on loopback.
type loopbackKey struct{}

// markLoopback returns a context for the requests of a listener, which tells guard
// whether it is on loopback.
func markLoopback(ctx context.Context, addr net.Addr) context.Context {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return context.WithValue(ctx, loopbackKey{}, true)
	}
	return ctx
}

// localHost reports whether a Host header names this machine or a configured host.
func (b *Broker) localHost(header string) bool {
	host, ok := hostname.Parse(header)
	return ok && slices.Contains(b.cfg.Hosts, host) || hostname.IsLocal(header)
}

// acceptableBody reports whether a body of this content type is read as JSON.
func acceptableBody(contentType string) bool {
	if contentType == "" || contentType == "application/json" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || kind == "application/x-www-form-urlencoded")
}
