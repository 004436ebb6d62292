// Package guard decides which requests reach a page, before the page sees them.
//
// Every request passes two checks: the host check (host.go), which stops DNS
// rebinding, and the cross-origin check (origin.go), which stops requests that
// other sites make a browser send. A request that changes anything must also
// come from the presenter (presenter.go).
//
// The last rule can't be forgotten: a page mounts its routes on a [Router], not
// on a chi router, and Router has no way to register a route that changes
// anything without the presenter check. That is why pages have a method
// Mount(*guard.Router) and not Mount(chi.Router).
package guard

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/web/internal/respond"
)

// Guard checks requests. Safe for concurrent use.
type Guard struct{ key string }

// New returns a Guard. Requests that change anything need the presenter's key;
// an empty key means that the server listens on loopback only, so that anyone
// on this machine may change things.
func New(key string) *Guard { return &Guard{key} }

// Router registers routes behind the checks.
type Router struct {
	mux   chi.Router
	guard *Guard
	rs    *respond.Responder
}

// Router returns a Router with the routes of the presenter's key. The
// middleware wraps all others.
func (g *Guard) Router(rs *respond.Responder, middleware func(http.Handler) http.Handler) *Router {
	r := &Router{chi.NewRouter(), g, rs}
	r.mux.Use(middleware, rs.Recover, headers, r.sameHost, r.sameOrigin)
	r.mux.NotFound(rs.Handle(func(http.ResponseWriter, *http.Request) error { return respond.NoSuchPage }).ServeHTTP)
	r.mux.MethodNotAllowed(rs.Handle(func(http.ResponseWriter, *http.Request) error { return respond.WrongMethod }).ServeHTTP)
	r.Get("/key", r.keyPage)
	// The one POST that needs no key: it is how a browser presents the key.
	r.mux.Method(http.MethodPost, "/key", rs.Handle(r.takeKey))
	return r
}

// Get registers a route that only reads.
func (r *Router) Get(pattern string, h respond.HandlerFunc) {
	r.mux.Method(http.MethodGet, pattern, r.rs.Handle(h))
}

// Post registers a route that changes something, for the presenter alone.
func (r *Router) Post(pattern string, h respond.HandlerFunc) {
	r.mux.Method(http.MethodPost, pattern, r.rs.Handle(r.PresenterOnly(h)))
}

// Files registers a handler that serves files, for GET and HEAD.
func (r *Router) Files(pattern string, h http.Handler) {
	r.mux.Method(http.MethodGet, pattern, h)
	r.mux.Method(http.MethodHead, pattern, h)
}

// ServeHTTP answers a request.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.mux.ServeHTTP(w, req) }

// Routes returns the registered routes, for a test to list.
func (r *Router) Routes() chi.Routes { return r.mux }
