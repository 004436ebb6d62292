package web_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/internal/openapidoc"
	"github.com/devonartis/medassist-go/internal/routesdoc"
	"github.com/devonartis/medassist-go/web"
	"github.com/devonartis/medassist-go/web/internal/guard"
)

// documented reads the table of docs/routes.md, by which the routes are tested.
func documented(t *testing.T) map[string]routesdoc.Route {
	return routesdoc.Read(t, "../docs/routes.md", "Pages and API")
}

// registered returns the routes of a server, by method and path.
func registered(s *web.Server) map[string]guard.Route {
	routes := make(map[string]guard.Route)
	for _, r := range s.Routes() {
		routes[r.Method+" "+r.Pattern] = r
	}
	return routes
}

// names returns the keys of a table, sorted.
func names[T any](routes map[string]T) []string { return slices.Sorted(maps.Keys(routes)) }

// A new route fails this test until docs/routes.md says who may call it and what
// limits it.
func TestEveryRouteIsDocumented(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	table, routes := documented(t), registered(s.web)
	for _, name := range names(routes) {
		doc, ok := table[name]
		switch route := routes[name]; {
		case !ok:
			t.Errorf("%s is missing: who may call it?", name)
		case doc.Access != string(route.Access):
			t.Errorf("%s is documented for %s, but registered for %s", name, doc.Access, route.Access)
		case doc.Limits == "":
			t.Errorf("%s has no limits", name)
		case strings.Contains(doc.Limits, "a read") != route.Costly:
			t.Errorf("%s: its limits are %q; does it take a read? %v", name, doc.Limits, route.Costly)
		case strings.Contains(doc.Limits, "a place") != route.Stream:
			t.Errorf("%s: its limits are %q; does it take a place? %v", name, doc.Limits, route.Stream)
		}
	}
	for _, name := range names(table) {
		if _, ok := routes[name]; !ok {
			t.Errorf("%s is documented, but not registered", name)
		}
	}
}

// Each route is called without the key, with a wrong key, with the key, and with
// the key but from another site; and by HEAD and OPTIONS.
func TestWhoMayCallEachRoute(t *testing.T) {
	t.Parallel()
	const key = "a-key-for-the-presenter"
	s := newSite(t, configure{web: func(c *web.Config) { c.PresenterKey = key }})
	routes := documented(t)
	for _, route := range names(registered(s.web)) {
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer("{id}", "run-0", "{seq}", "1", "*", "page.js").Replace(path)
		callBy := func(method string, header http.Header) int {
			// A stream answers its header at once, and ends with its client.
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, method, s.URL+path, nil)
			must(t, err)
			for k, v := range header {
				req.Header[k] = v
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			must(t, err)
			resp.Body.Close()
			return resp.StatusCode
		}
		call := func(header http.Header) int { return callBy(method, header) }
		// POST /key refuses a request without the key in its form.
		refusing := routes[route].Access == "presenter" || route == "POST /key"
		for name, header := range map[string]http.Header{"nobody": nil, "a wrong key": {"X-Presenter-Key": {"wrong"}}} {
			if got := call(header); (got == http.StatusForbidden) != refusing {
				t.Errorf("%s by %s: %d, but it is for %s", route, name, got, routes[route].Access)
			}
		}
		if got := call(http.Header{"X-Presenter-Key": {key}, "Sec-Fetch-Site": {"cross-site"}}); (got == http.StatusForbidden) != (method == "POST") {
			t.Errorf("%s from another site: %d", route, got)
		}
		if got := call(http.Header{"X-Presenter-Key": {key}}); got == http.StatusForbidden && route != "POST /key" {
			t.Errorf("%s by the presenter: %d", route, got)
		}
		if method == "GET" {
			if got := callBy("HEAD", http.Header{"X-Presenter-Key": {key}}); got != call(http.Header{"X-Presenter-Key": {key}}) {
				t.Errorf("HEAD %s by the presenter: %d, unlike GET", path, got)
			}
		}
		if got := callBy("OPTIONS", nil); got != http.StatusNoContent {
			t.Errorf("OPTIONS %s: %d", path, got)
		}
		if routes[route].Access == "anyone" && method != "GET" && route != "POST /key" {
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
	got := slices.DeleteFunc(names(registered(s.web)), func(r string) bool { return !inAPI(r) })
	if !slices.Equal(got, described) {
		t.Errorf("the router has %v\nthe document has %v", got, described)
	}
}
