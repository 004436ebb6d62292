package guard

import (
	"net/http"

	"github.com/devonartis/medassist-go/web/internal/respond"
)

// contentPolicy lets a page load what this server serves, and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// headers sets the security headers of every answer.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

var (
	crossOrigin = http.NewCrossOriginProtection()

	otherOrigin = &respond.Error{Status: http.StatusForbidden, Detail: "Cross-origin request refused: another site sent it."}
)

// sameOrigin refuses cross-origin requests other than GET and HEAD. It protects
// presenters: their browser holds the key as a cookie, or needs none.
func (r *Router) sameOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if crossOrigin.Check(req) != nil {
			r.rs.Error(w, req, otherOrigin)
			return
		}
		next.ServeHTTP(w, req)
	})
}
