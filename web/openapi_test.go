package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/internal/openapidoc"
)

// The document of the app's API has every route of it, and no other.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	inAPI := func(op string) bool {
		_, path, _ := strings.Cut(op, " ")
		return strings.HasPrefix(path, "/api/") || path == "/healthz" || path == "/metrics"
	}
	var routes []string
	s := &Server{}
	s.metrics = newMetrics(s)
	err := chi.Walk(s.routes().(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if op := method + " " + route; inAPI(op) {
			routes = append(routes, op)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(routes)
	said := slices.DeleteFunc(openapidoc.Operations(t, "../docs/openapi/app.yaml"), func(op string) bool { return !inAPI(op) })
	if !slices.Equal(routes, said) {
		t.Errorf("the router has %v\nthe document has %v", routes, said)
	}
}
