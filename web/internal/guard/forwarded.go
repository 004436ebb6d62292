package guard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/devonartis/medassist-go/internal/hostname"
)

// Headers that reverse proxies, tunnels and content networks add, and browsers and
// our programs don't: by name, and by the beginning of the name.
var (
	proxyHeaders  = []string{"Forwarded", "Forwarded-For", "Via", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Wl-Proxy-Client-Ip", "Proxy-Client-Ip"}
	proxyPrefixes = []string{"X-Forwarded", "X-Original-", "X-Proxy", "X-Envoy-", "X-Azure-", "X-Arr-", "X-Amz", "X-Appengine-", "X-Vercel-", "Cf-", "Cdn-", "Fastly-", "Fly-", "Ngrok-", "Tailscale-"}
)

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
		if slices.Contains(proxyHeaders, name) || slices.ContainsFunc(proxyPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
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
