package broker

import (
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/internal/clientaddr"
	"github.com/devonartis/medassist-go/internal/random"
)

const (
	headerRequestID = "X-Request-Id" // of every response; in canonical form
	maxRequestID    = 128
)

// fixedHeaders are headers of every response. Their keys are in canonical form, and
// their values are shared.
var fixedHeaders = http.Header{
	"Cache-Control":          {"no-store"},
	"X-Content-Type-Options": {"nosniff"},
	"X-Frame-Options":        {"DENY"},
}

// requestID returns the ID of the request that is answered with w.
func requestID(w http.ResponseWriter) string { return w.Header().Get(headerRequestID) }

// observe assigns the request ID, sets the common response headers, and logs and
// measures the request.
func (b *Broker) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := r.Header.Get(headerRequestID)
		if !acceptableID(id) {
			id = random.Hex(8)
		}
		h := w.Header()
		maps.Copy(h, fixedHeaders)
		h[headerRequestID] = []string{id}

		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)

		route := chi.RouteContext(r.Context()).RoutePattern()
		took := time.Since(began)
		b.metrics.request(route, rec.status, took)
		level := slog.LevelDebug
		switch {
		case r.Context().Err() != nil: // the client has left
		case rec.status >= 500:
			level = slog.LevelError
		case rec.status >= 400:
			level = slog.LevelInfo
		}
		if b.log.Enabled(r.Context(), level) {
			b.log.Log(r.Context(), level, "request", "request_id", id, "method", clip(r.Method), "path", clip(r.URL.Path),
				"status", rec.status, "took", took, "client", clientaddr.Of(r))
		}
	})
}

// acceptableID reports whether a request ID has at most 128 printable ASCII
// characters.
func acceptableID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// recover answers 500 for a handler that panicked, unless it has already written
// a response.
func (b *Broker) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler {
				panic(cause)
			}
			b.log.Error("panic", "request_id", requestID(w), "cause", cause, "stack", string(debug.Stack()))
			if rec, ok := w.(*recorder); !ok || !rec.wrote {
				b.problem(w, r, errInternal)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// recorder records the status of a response.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (r *recorder) WriteHeader(status int) {
	r.status, r.wrote = status, true
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.wrote = true
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
