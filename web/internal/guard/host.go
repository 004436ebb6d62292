package guard

import (
	"net"
	"net/http"
	"strings"

	"github.com/devonartis/medassist-go/web/internal/respond"
)

var wrongHost = &respond.Error{Status: http.StatusMisdirectedRequest, Detail: "This server answers to localhost only."}

// sameHost refuses, while the server listens on loopback only, a host name
// other than this machine's: another site's name that resolves to this machine
// would let that site's scripts read the page (DNS rebinding).
func (r *Router) sameHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.guard.key == "" && !isLocal(req.Host) {
			r.rs.Error(w, req, wrongHost)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// isLocal reports whether a Host header names this machine.
func isLocal(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
