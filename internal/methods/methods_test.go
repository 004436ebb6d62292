package methods

import (
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"
)

func TestAllow(t *testing.T) {
	mux := chi.NewRouter()
	mux.Get("/a/{id}", nil)
	mux.Put("/a/{id}", nil)
	mux.Post("/b", nil)
	for path, want := range map[string]string{"/a/1": "GET, HEAD, PUT, OPTIONS", "/a/x%2fy": "GET, HEAD, PUT, OPTIONS", "/b": "POST, OPTIONS"} {
		w := httptest.NewRecorder()
		Allow(w, httptest.NewRequest("PATCH", path, nil), mux, "OPTIONS")
		if got := w.Header().Get("Allow"); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
