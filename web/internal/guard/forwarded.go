package guard

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/devonartis/medassist-go/internal/hostname"
)

// proxyHeaders are headers that reverse proxies add, beside X-Forwarded-*.
var proxyHeaders = []string{"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip", "X-Original-Host", "X-Original-Forwarded-For"}

// isForwarded reports whether a request shows any sign of having come through a
// reverse proxy on this machine. Its sender may then be anyone, although the
// connection comes from loopback and the proxy may have rewritten the Host header.
// A proxy can hide completely, so this protects against mistakes, not against a
// proxy that means to deceive.
func isForwarded(r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) {
		return true // nginx speaks HTTP/1.0 to its upstream by default, and browsers don't
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Forwarded-") {
			return true
		}
	}
	for _, name := range proxyHeaders {
		if _, ok := r.Header[name]; ok {
			return true
		}
	}
	// A browser that knows the page under another name got it from a proxy.
	for _, name := range []string{"Origin", "Referer"} {
		if u, err := url.Parse(r.Header.Get(name)); err == nil && u.Host != "" && !hostname.IsLocal(u.Host) {
			return true
		}
	}
	return false
}
