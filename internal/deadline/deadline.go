// Package deadline limits how long a client may take to read an answer.
// http.Server's WriteTimeout does too, but counts from the request, so that it
// would also end a stream, and an answer that took long to compute.
package deadline

import (
	"net/http"
	"time"
)

// Handler returns a handler that gives every answer of next a deadline, from its
// first byte on. A stream sets a deadline for each of its writes instead, by
// http.ResponseController.
func Handler(next http.Handler, d time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &writer{ResponseWriter: w, limit: d}
		next.ServeHTTP(answer, r)
		answer.begin() // net/http writes what is left; the deadline of the request before may be over
	})
}

// writer sets the deadline at the first write.
type writer struct {
	http.ResponseWriter
	limit time.Duration
	begun bool
}

func (w *writer) begin() {
	if w.begun {
		return
	}
	w.begun = true
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.limit)) // not every ResponseWriter has one
}

func (w *writer) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
