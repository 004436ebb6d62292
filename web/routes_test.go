package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/internal/openapidoc"
	"github.com/devonartis/medassist-go/web"
)

// Who may call a route.
const (
	anyone    = "anyone"
	presenter = "the presenter"
)

// routes are all routes, and who may call each. A new route fails
// TestEveryRouteIsListed until it is listed here.
var routes = map[string]string{
	"GET /":                          anyone,
	"GET /key":                       anyone,
	"POST /key":                      anyone, // it is how a browser presents the key
	"GET /runs":                      anyone,
	"POST /runs":                     presenter,
	"GET /runs/{id}":                 anyone,
	"GET /runs/{id}/frames":          anyone,
	"GET /runs/{id}/at/{seq}":        anyone,
	"GET /runs/{id}/replay":          anyone,
	"GET /runs/{id}/replay/frames":   anyone,
	"GET /runs/{id}/export.json":     anyone,
	"GET /runs/{id}/export.html":     anyone,
	"POST /runs/{id}/pace":           presenter,
	"POST /runs/{id}/next":           presenter,
	"POST /runs/{id}/cancel":         presenter,
	"POST /runs/{id}/stolen":         presenter, // the answer contains a token
	"GET /present":                   anyone,
	"GET /present/link":              anyone,
	"POST /present/act":              presenter,
	"POST /present/run":              presenter,
	"POST /present/timer":            presenter,
	"GET /stage":                     anyone,
	"GET /follow":                    anyone,
	"GET /stage/frames":              anyone,
	"GET /audit":                     anyone,
	"GET /audit/frames":              anyone,
	"GET /audit/lab":                 anyone,
	"GET /audit/export":              presenter, // it reads the whole log
	"GET /audit/checkpoint":          anyone,
	"POST /audit/reverify":           presenter,
	"GET /operator":                  anyone,
	"GET /operator/live":             anyone,
	"GET /operator/revoke":           anyone, // a preview
	"POST /operator/revoke":          presenter,
	"POST /operator/reset":           presenter,
	"POST /operator/preflight":       presenter,
	"GET /operator/preflight/frames": anyone,
	"POST /api/request":              presenter,
	"POST /api/runs":                 presenter,
	"GET /api/runs/{id}":             anyone,
	"GET /api/runs/{id}/events":      anyone,
	"POST /api/runs/{id}/next":       presenter,
	"POST /api/runs/{id}/cancel":     presenter,
	"POST /api/runs/{id}/pace":       presenter,
	"GET /api/patients":              anyone,
	"GET /api/tools":                 anyone,
	"GET /api/audit/events":          anyone,
	"POST /api/revoke":               presenter,
	"POST /api/reset":                presenter,
	"POST /api/preflight":            presenter,
	"GET /healthz":                   anyone,
	"GET /metrics":                   anyone,
	"GET /static/*":                  anyone,
	"HEAD /static/*":                 anyone,
}

// registered returns the routes of a server, sorted.
func registered(t *testing.T, s *web.Server) (out []string) {
	t.Helper()
	must(t, chi.Walk(s.Routes(), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		out = append(out, method+" "+route)
		return nil
	}))
	slices.Sort(out)
	return out
}

func TestEveryRouteIsListed(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	var listed []string
	for route := range routes {
		listed = append(listed, route)
	}
	slices.Sort(listed)
	if got := registered(t, s.web); !slices.Equal(got, listed) {
		for _, r := range got {
			if routes[r] == "" {
				t.Errorf("%s is not listed: who may call it?", r)
			}
		}
		for _, r := range listed {
			if !slices.Contains(got, r) {
				t.Errorf("%s is listed, but not registered", r)
			}
		}
	}
}

// Each route is called without the key, with a wrong key, with the key, and with
// the key but from another site.
func TestWhoMayCallEachRoute(t *testing.T) {
	t.Parallel()
	const key = "a-key-for-the-presenter"
	s := newSite(t, configure{web: func(c *web.Config) { c.PresenterKey = key }})
	for _, route := range registered(t, s.web) {
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer("{id}", "run-0", "{seq}", "1", "*", "page.js").Replace(path)
		if strings.HasSuffix(path, "/frames") {
			continue // streams: they only read, and end with their client
		}
		call := func(header http.Header) int {
			req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
			must(t, err)
			for k, v := range header {
				req.Header[k] = v
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			must(t, err)
			resp.Body.Close()
			return resp.StatusCode
		}
		// POST /key refuses a request without the key in its form.
		refusing := routes[route] == presenter || route == "POST /key"
		for name, header := range map[string]http.Header{"nobody": nil, "a wrong key": {"X-Presenter-Key": {"wrong"}}} {
			if got := call(header); (got == http.StatusForbidden) != refusing {
				t.Errorf("%s by %s: %d, but it is for %s", route, name, got, routes[route])
			}
		}
		if got := call(http.Header{"X-Presenter-Key": {key}, "Sec-Fetch-Site": {"cross-site"}}); (got == http.StatusForbidden) != (method == "POST") {
			t.Errorf("%s from another site: %d", route, got)
		}
		if got := call(http.Header{"X-Presenter-Key": {key}}); got == http.StatusForbidden && route != "POST /key" {
			t.Errorf("%s by the presenter: %d", route, got)
		}
		if got := method; routes[route] == anyone && got != "GET" && got != "HEAD" && route != "POST /key" {
			t.Errorf("%s is for anyone, though it may change something", route)
		}
	}
}

// The API's document describes every route of the API, and no other.
func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	t.Parallel()
	inAPI := func(route string) bool {
		_, path, _ := strings.Cut(route, " ")
		return strings.HasPrefix(path, "/api/") || path == "/healthz" || path == "/metrics"
	}
	described := slices.DeleteFunc(openapidoc.Operations(t, "../docs/openapi/app.yaml"), func(r string) bool { return !inAPI(r) })
	s := newSite(t, configure{})
	got := slices.DeleteFunc(registered(t, s.web), func(r string) bool { return !inAPI(r) })
	if !slices.Equal(got, described) {
		t.Errorf("the router has %v\nthe document has %v", got, described)
	}
}
