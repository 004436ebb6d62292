// Package sse writes server-sent events (WHATWG HTML, section 9.2): streams
// with one keep-alive loop, messages that can't be broken out of, and the
// position from which a client resumes.
//
// A stream has no write timeout as a whole, but each write has one, so a
// stalled client holds nothing but its own goroutine, and not for long.
package sse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// Bounds of a stream.
const (
	keepAlive    = 15 * time.Second // between comments, while nothing else is sent
	WriteTimeout = 10 * time.Second // of one write to a client
)

// Streams opens streams, and ends them all when the server stops. Safe for
// concurrent use.
type Streams struct {
	stopping context.Context
	stop     context.CancelFunc

	open, sent atomic.Int64
}

// New returns a Streams.
func New() *Streams {
	ctx, stop := context.WithCancel(context.Background())
	return &Streams{stopping: ctx, stop: stop}
}

// Stop ends all streams.
func (s *Streams) Stop() { s.stop() }

// Open returns the number of open streams.
func (s *Streams) Open() int64 { return s.open.Load() }

// Sent returns the number of bytes that were written to streams.
func (s *Streams) Sent() int64 { return s.sent.Load() }

// Stopping returns a context that ends when the server stops.
func (s *Streams) Stopping() context.Context { return s.stopping }

// Until returns a context that ends with ctx and when the server stops.
func (s *Streams) Until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.stopping, cancel)
	return ctx, func() { stop(); cancel() }
}

// Stream is one client's stream.
type Stream struct {
	ctx     context.Context // ends when the client leaves or the server stops
	w       http.ResponseWriter
	control *http.ResponseController
	sent    *atomic.Int64 // of all streams
}

// Serve opens a stream and calls f with it. The stream ends when f returns. HEAD
// is answered by the headers, without a stream.
func (s *Streams) Serve(w http.ResponseWriter, r *http.Request, f func(*Stream)) error {
	ctx, cancel := s.Until(r.Context())
	defer cancel()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // a proxy must not buffer events
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	s.open.Add(1)
	defer s.open.Add(-1)
	stream := &Stream{ctx, w, http.NewResponseController(w), &s.sent}
	// The headers are sent at once, so that the client knows it is connected.
	if stream.Write([]byte(": connected\n\n")) == nil {
		f(stream)
	}
	return nil
}

// Context ends when the client leaves or the server stops.
func (s *Stream) Context() context.Context { return s.ctx }

// Write sends bytes, with a deadline of their own. An error means that the
// client is gone.
func (s *Stream) Write(b []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(WriteTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	n, err := s.w.Write(b)
	s.sent.Add(int64(n))
	if err != nil {
		return err
	}
	return s.control.Flush()
}

// Send sends what next returns, again and again, until next fails or the
// stream ends. While next waits, a comment keeps the connection alive.
func (s *Stream) Send(next func(context.Context) ([]byte, error)) {
	for {
		waiting, cancel := context.WithTimeout(s.ctx, keepAlive)
		out, err := next(waiting)
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded) && s.ctx.Err() == nil:
			out = []byte(": waiting\n\n")
		case err != nil:
			return
		}
		if len(out) > 0 && s.Write(out) != nil {
			return
		}
	}
}

// Follow sends the items of a cursor, each appended to the stream by encode,
// until the cursor or the stream ends.
func Follow[T any](s *Stream, cursor *trace.Cursor[T], encode func([]byte, T) ([]byte, error)) {
	s.Send(func(ctx context.Context) ([]byte, error) {
		items, err := cursor.Next(ctx)
		var out []byte
		for _, item := range items {
			if out, err = encode(out, item); err != nil {
				return nil, err
			}
		}
		return out, err
	})
}

// newlines replaces everything that ends a line of an event stream. A lone
// carriage return does too: unreplaced, text from a record or a model could end
// a field and begin another.
var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// Append appends an unnamed message, its data on as many lines as it has.
func Append(b []byte, id int64, data []byte) []byte {
	b = fmt.Appendf(b, "id: %d\n", id)
	for line := range strings.SplitSeq(newlines.Replace(string(data)), "\n") {
		b = fmt.Appendf(b, "data: %s\n", line)
	}
	return append(b, '\n')
}

// ResumeAfter returns the ID of the last message that a client has, 0 for none.
// Last-Event-ID is more recent than ?after=: a browser that reconnects repeats
// the address it first connected to.
func ResumeAfter(r *http.Request) (int64, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("after")
	}
	if text == "" {
		return 0, nil
	}
	after, err := strconv.ParseInt(text, 10, 64)
	if err != nil || after < 0 {
		return 0, respond.BadInput("after", "Last-Event-ID and after must be the number of a step.")
	}
	return after, nil
}
