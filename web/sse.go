package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/trace"
)

// Bounds of a stream.
const (
	keepAlive    = 15 * time.Second // a comment, when nothing else is sent
	writeTimeout = 10 * time.Second // of one write to a client
)

// eventStream writes server-sent events (WHATWG HTML, section 9.2).
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// openStream sends the headers, so that the client knows it is connected.
func openStream(w http.ResponseWriter) (*eventStream, error) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // a proxy is not to gather events
	s := &eventStream{w, http.NewResponseController(w)}
	return s, s.write([]byte(": connected\n\n"))
}

// write sends bytes with a deadline of their own.
func (s *eventStream) write(b []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write(b); err != nil {
		return err
	}
	return s.control.Flush()
}

// newlines are all that ends a line of an event stream. A lone carriage return
// does too, so what a record or a model says could end a field and begin
// another, were it not replaced.
var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// appendMessage writes an unnamed message, its data on as many lines as it has.
func appendMessage(b []byte, id int64, data []byte) []byte {
	b = fmt.Appendf(b, "id: %d\n", id)
	for line := range strings.SplitSeq(newlines.Replace(string(data)), "\n") {
		b = fmt.Appendf(b, "data: %s\n", line)
	}
	return append(b, '\n')
}

// follow sends what a cursor gives until it ends, the client leaves or the
// server stops; a comment keeps an idle stream alive.
func follow[T any](ctx context.Context, s *eventStream, cursor *trace.Cursor[T], encode func([]byte, T) ([]byte, error)) {
	for {
		waiting, cancel := context.WithTimeout(ctx, keepAlive)
		items, err := cursor.Next(waiting)
		cancel()
		var out []byte
		switch {
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			out = []byte(": waiting\n\n")
		case err != nil:
			return
		}
		for _, item := range items {
			if out, err = encode(out, item); err != nil {
				return
			}
		}
		if len(out) > 0 && s.write(out) != nil {
			return
		}
	}
}

// events is GET /api/runs/{id}/events: each step as JSON, once and in order,
// its number as the event's ID. A reader that comes back names the last one it
// has, by Last-Event-ID or ?after=.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	after, err := resumeAfter(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	cursor, err := s.cfg.Log.Follow(r.Context(), chi.URLParam(r, "id"), after)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	ctx, done := s.untilStop(r.Context())
	defer done()
	stream, err := openStream(w)
	if err != nil {
		return
	}
	follow(ctx, stream, cursor, func(b []byte, e trace.Event) ([]byte, error) {
		data, err := e.JSON()
		return appendMessage(b, e.Seq, data), err
	})
}

// resumeAfter reads which event a reader has. The header is the newer word: a
// browser repeats the address it began with.
func resumeAfter(r *http.Request) (int64, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("after")
	}
	if text == "" {
		return 0, nil
	}
	after, err := strconv.ParseInt(text, 10, 64)
	if err != nil || after < 0 {
		return 0, &inputError{http.StatusBadRequest, "after", "Last-Event-ID and after must be the number of a step"}
	}
	return after, nil
}

// untilStop is a request's context that also ends with the server.
func (s *Server) untilStop(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ending, cancel)
	return ctx, func() { stop(); cancel() }
}
