package guard

import (
	"net/http"

	"github.com/devonartis/medassist-go/internal/hostname"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

var wrongHost = &respond.Error{Status: http.StatusMisdirectedRequest, Detail: "This server answers to localhost only."}

// sameHost refuses, while the server listens on loopback only, a host name
// other than this machine's: another site's name that resolves to this machine
// would let that site's scripts read the page (DNS rebinding).
func (r *Router) sameHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.guard.key == "" && !hostname.IsLocal(req.Host) {
			r.rs.Error(w, req, wrongHost)
			return
		}
		next.ServeHTTP(w, req)
	})
}
