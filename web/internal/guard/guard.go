// Package guard decides which requests reach a page, before the page sees them.
//
// Every request passes two checks: the host check (host.go), which stops DNS
// rebinding, and the cross-origin check (origin.go), which stops requests that
// other sites make a browser send. A request that changes anything must also
// come from the presenter (presenter.go), and wrong keys are limited (tries.go).
// A stream takes one of a limited number of places (places.go), and viewers' reads of
// the broker's audit log are rationed (reads.go).
//
// The rules can't be forgotten: a page mounts its routes on a [Router], not on a
// chi router, and Router has no way to register a route that changes anything
// without the presenter check. That is why pages have a method
// Mount(*guard.Router) and not Mount(chi.Router).
package guard

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/internal/clientaddr"
	"github.com/devonartis/medassist-go/internal/methods"
	"github.com/devonartis/medassist-go/internal/random"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// Config is what a [Guard] needs. The zero value serves loopback only.
type Config struct {
	// Key is the presenter's key, which requests that change anything need. An
	// empty key means that the server listens on loopback only, so that anyone on
	// this machine may change things.
	Key string
	// Secret is what the presenter's cookie is derived from, beside the key. With
	// the same secret and key, a cookie is valid after a restart. Empty means random.
	Secret string
	// Proxies are the proxies whose X-Forwarded-For header names the client.
	Proxies []netip.Prefix
	// Viewers is how many streams viewers may have open at once, and
	// ViewersPerAddress how many of them clients at one address. 0 means
	// the default of [ViewerLimits].
	Viewers, ViewersPerAddress int
	Clock                      func() time.Time // nil means time.Now
}

// Guard checks requests. Safe for concurrent use.
type Guard struct {
	key, secret string
	proxies     []netip.Prefix
	tries       *tries
	places      *places
	reads       *reads
}

// New returns a Guard.
func New(cfg Config) *Guard {
	if cfg.Secret == "" {
		cfg.Secret = random.Hex(32)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Guard{cfg.Key, cfg.Secret, cfg.Proxies, newTries(cfg.Clock), newPlaces(cfg.Viewers, cfg.ViewersPerAddress), newReads(cfg.Clock)}
}

// Access says who may call a route.
type Access string

// The values of an [Access].
const (
	Anyone    Access = "anyone"
	Presenter Access = "presenter"
)

// A Route is a registered route. A route for GET is one for HEAD too.
type Route struct {
	Method, Pattern string
	Access          Access
	Stream          bool // it takes a viewer's place
	Costly          bool // it takes a part of the viewers' reads of the audit log
}

// Router registers routes behind the checks.
type Router struct {
	mux    chi.Router
	guard  *Guard
	rs     *respond.Responder
	routes []Route
}

// Router returns a Router with the routes of the presenter's key. The
// middleware wraps all others.
func (g *Guard) Router(rs *respond.Responder, middleware func(http.Handler) http.Handler) *Router {
	r := &Router{mux: chi.NewRouter(), guard: g, rs: rs}
	r.mux.Use(middleware, rs.Recover, headers, r.sameHost, r.sameOrigin, clientaddr.Forwarded(g.proxies), r.identify)
	r.mux.NotFound(rs.Handle(func(http.ResponseWriter, *http.Request) error { return respond.NoSuchPage }).ServeHTTP)
	r.mux.MethodNotAllowed(rs.Handle(r.otherMethod).ServeHTTP)
	r.Get("/key", r.keyPage)
	// The one POST that needs no key: it is how a browser presents the key.
	r.add(Route{Method: http.MethodPost, Pattern: "/key", Access: Anyone}, rs.Handle(r.takeKey))
	return r
}

// Get registers a route that only reads.
func (r *Router) Get(pattern string, h respond.HandlerFunc) {
	r.add(Route{Method: http.MethodGet, Pattern: pattern, Access: Anyone}, r.rs.Handle(h))
}

// GetCostly registers a route that reads the broker's audit log. The broker limits
// such reads, so each viewer may use a part of them only, and all of them together.
func (r *Router) GetCostly(pattern string, h respond.HandlerFunc) {
	r.add(Route{Method: http.MethodGet, Pattern: pattern, Access: Anyone, Costly: true}, r.rs.Handle(r.rationed(h)))
}

// GetByPresenter registers a route that only reads, but is expensive: it is for
// the presenter alone.
func (r *Router) GetByPresenter(pattern string, h respond.HandlerFunc) {
	r.add(Route{Method: http.MethodGet, Pattern: pattern, Access: Presenter}, r.rs.Handle(r.presenterOnly(h)))
}

// Stream registers a route that only reads and whose answer stays open. It is
// refused while all places for viewers are taken.
func (r *Router) Stream(pattern string, h respond.HandlerFunc) {
	r.add(Route{Method: http.MethodGet, Pattern: pattern, Access: Anyone, Stream: true}, r.rs.Handle(r.placed(h)))
}

// Post registers a route that changes something, for the presenter alone.
func (r *Router) Post(pattern string, h respond.HandlerFunc) {
	r.add(Route{Method: http.MethodPost, Pattern: pattern, Access: Presenter}, r.rs.Handle(r.presenterOnly(h)))
}

// Files registers a handler that serves files.
func (r *Router) Files(pattern string, h http.Handler) {
	r.add(Route{Method: http.MethodGet, Pattern: pattern, Access: Anyone}, h)
}

// add registers a route. HEAD is answered wherever GET is: net/http sends no body.
func (r *Router) add(route Route, h http.Handler) {
	r.routes = append(r.routes, route)
	r.mux.Method(route.Method, route.Pattern, h)
	if route.Method == http.MethodGet {
		r.mux.Method(http.MethodHead, route.Pattern, h)
	}
}

// otherMethod answers a request for an existing path by a method that it does
// not have. OPTIONS lists those that it has.
func (r *Router) otherMethod(w http.ResponseWriter, req *http.Request) error {
	methods.Allow(w, req, r.mux, http.MethodOptions)
	if req.Method != http.MethodOptions {
		return respond.WrongMethod
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ServeHTTP answers a request.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.mux.ServeHTTP(w, req) }

// Routes returns the registered routes.
func (r *Router) Routes() []Route { return r.routes }
