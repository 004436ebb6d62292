// Package methods lists the methods of a path, for the Allow header that a
// response with status 405 must have (RFC 9110, section 15.5.6).
package methods

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
)

// Allow sets the Allow header to the methods that mux has for a request's path, to
// HEAD where it has GET, and to further ones.
func Allow(w http.ResponseWriter, r *http.Request, mux chi.Routes, further ...string) {
	path := r.URL.RawPath
	if path == "" {
		path = r.URL.Path
	}
	var all []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if mux.Match(chi.NewRouteContext(), method, path) {
			all = append(all, method)
		}
		if len(all) == 1 && method == http.MethodGet {
			all = append(all, http.MethodHead)
		}
	}
	w.Header().Set("Allow", strings.Join(append(all, further...), ", "))
}
