// Package sse writes server-sent events (WHATWG HTML, section 9.2): streams
// with one keep-alive loop, messages that can't be broken out of, and the
// position from which a client resumes.
//
// What many clients receive is a [Block]: encoded and compressed once, and the
// same bytes for all of them. A stream has no write timeout as a whole, but each
// write has one: a client that does not read is dropped after WriteTimeout, and
// resumes from its last message when it connects again.
//
// There are two kinds of stream. Serve is for programs: plain text, with
// comments to keep the connection alive. ServePage is for pages: compressed where
// the client accepts it, with events instead of comments, because a page sees
// only events: "beat" while nothing else is sent, and at its end "end", whose data
// is "over" when its source has ended and "stopped" when the server stops.
// web/static/stream.js reads them.
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
	keepAlive    = 15 * time.Second // between two signs of life, while nothing else is sent
	WriteTimeout = 10 * time.Second // of one write to a client
)

// Streams opens streams, and ends them all when the server stops. Safe for
// concurrent use.
type Streams struct {
	stopping, closed context.Context
	stop, close      context.CancelFunc

	open, sent atomic.Int64
}

// New returns a Streams.
func New() *Streams {
	s := new(Streams)
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.closed, s.close = context.WithCancel(context.Background())
	return s
}

// Stop tells what feeds the streams to come to its end. Streams go on until
// Close, so that they can send what happens last.
func (s *Streams) Stop() { s.stop() }

// Open returns the number of open streams.
func (s *Streams) Open() int64 { return s.open.Load() }

// Sent returns the number of bytes that were written to streams.
func (s *Streams) Sent() int64 { return s.sent.Load() }

// Stopping returns a context that ends when the server stops.
func (s *Streams) Stopping() context.Context { return s.stopping }

// Close ends all streams.
func (s *Streams) Close() {
	s.stop()
	s.close()
}

// Until returns a context that ends with ctx and when the streams are closed.
func (s *Streams) Until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closed, cancel)
	return ctx, func() { stop(); cancel() }
}

// Stream is one client's stream.
type Stream struct {
	ctx     context.Context // ends when the client leaves or the streams are closed
	w       http.ResponseWriter
	control *http.ResponseController
	idle    Block // sent while nothing else is
	sum     *checksum
	failed  bool          // a write failed: the client is gone
	sent    *atomic.Int64 // of all streams
}

// Signs of life.
var (
	connected = NewBlock([]byte(": connected\n\n"))
	waiting   = NewBlock([]byte(": waiting\n\n"))
	beat      = NewBlock([]byte("event: beat\ndata:\n\n"))
	over      = NewBlock([]byte("event: end\ndata: over\n\n"))
	stopped   = NewBlock([]byte("event: end\ndata: stopped\n\n"))
)

// Serve opens a stream for a program and calls f with it. The stream ends when f
// returns. HEAD is answered by the headers, without a stream.
func (s *Streams) Serve(w http.ResponseWriter, r *http.Request, f func(*Stream)) error {
	s.serve(w, r, &Stream{idle: waiting}, f)
	return nil
}

// ServePage opens a stream for a page and calls f with it. The stream ends when f
// returns.
func (s *Streams) ServePage(w http.ResponseWriter, r *http.Request, f func(*Stream)) error {
	stream := &Stream{idle: beat}
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		w.Header().Set("Content-Encoding", "gzip")
		stream.sum = new(checksum)
	}
	w.Header().Set("Vary", "Accept-Encoding")
	s.serve(w, r, stream, func(stream *Stream) {
		f(stream)
		end := over
		if s.stopping.Err() != nil {
			end = stopped
		}
		_ = stream.WriteBlocks(end) // an error means that the client is gone
	})
	return nil
}

func (s *Streams) serve(w http.ResponseWriter, r *http.Request, stream *Stream, f func(*Stream)) {
	ctx, cancel := s.Until(r.Context())
	defer cancel()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy must not buffer events
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return
	}
	stream.ctx, stream.w, stream.control = ctx, w, http.NewResponseController(w)
	if stream.sum != nil {
		_, _ = w.Write(gzipHeader) // an error is seen by the next write
	}
	stream.sent = &s.sent
	s.open.Add(1)
	defer s.open.Add(-1)
	// The headers are sent at once, so that the client knows it is connected.
	if stream.WriteBlocks(connected) != nil {
		return
	}
	f(stream)
	if stream.failed {
		return
	}
	if stream.sum != nil {
		_, _ = w.Write(stream.sum.trailer()) // an error means that the client is gone
	}
	// The connection may serve another request, which the deadline must not cut.
	if stream.control.Flush() == nil {
		_ = stream.control.SetWriteDeadline(time.Time{}) // not every ResponseWriter has one
	}
}

// Context ends when the client leaves or the streams are closed.
func (s *Stream) Context() context.Context { return s.ctx }

// Write sends messages for this client alone. An error means that the client is
// gone.
func (s *Stream) Write(messages []byte) error { return s.WriteBlocks(Plain(messages)) }

// WriteBlocks sends blocks, with a deadline of their own. An error means that the
// client is gone.
func (s *Stream) WriteBlocks(blocks ...Block) error {
	if s.failed {
		return http.ErrHandlerTimeout
	}
	err := s.write(blocks)
	s.failed = err != nil
	return err
}

func (s *Stream) write(blocks []Block) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(WriteTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	for _, b := range blocks {
		out := b.plain
		if s.sum != nil {
			s.sum.add(b.plain)
			out = b.deflated
		}
		n, err := s.w.Write(out)
		s.sent.Add(int64(n))
		if err != nil {
			return err
		}
	}
	return s.control.Flush()
}

// Send sends the blocks that next returns, again and again, until next fails or
// the stream ends, and returns why: next's error, such as io.EOF, or that of the
// connection. While next waits, a sign of life is sent.
func (s *Stream) Send(next func(context.Context) ([]Block, error)) error {
	for {
		wait, cancel := context.WithTimeout(s.ctx, keepAlive)
		blocks, err := next(wait)
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded) && s.ctx.Err() == nil:
			blocks = []Block{s.idle}
		case err != nil:
			return err
		}
		if len(blocks) > 0 {
			if err := s.WriteBlocks(blocks...); err != nil {
				return err
			}
		}
	}
}

// Follow sends the items of a cursor, each appended to the stream by encode,
// until the cursor or the stream ends.
func Follow[T any](s *Stream, cursor *trace.Cursor[T], encode func([]byte, T) ([]byte, error)) {
	_ = s.Send(func(ctx context.Context) ([]Block, error) {
		items, err := cursor.Next(ctx)
		var out []byte
		for _, item := range items {
			if out, err = encode(out, item); err != nil {
				return nil, err
			}
		}
		if len(out) == 0 {
			return nil, err
		}
		return []Block{Plain(out)}, err
	})
}

// newlines replaces everything that ends a line of an event stream. A lone
// carriage return does too: unreplaced, text from a record or a model could end
// a field and begin another.
var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// Append appends an unnamed message, its data on as many lines as it has.
func Append(b []byte, id int64, data []byte) []byte {
	return appendData(fmt.Appendf(b, "id: %d\n", id), data)
}

// AppendEvent appends a named event. Neither the name nor the ID may contain a
// line break; an empty ID leaves the client's position as it is.
func AppendEvent(b []byte, name, id string, data []byte) []byte {
	if id != "" {
		b = fmt.Appendf(b, "id: %s\n", id)
	}
	if name != "" {
		b = fmt.Appendf(b, "event: %s\n", name)
	}
	return appendData(b, data)
}

func appendData(b, data []byte) []byte {
	for line := range strings.SplitSeq(newlines.Replace(string(data)), "\n") {
		b = append(b, "data: "...)
		b = append(b, line...)
		b = append(b, '\n')
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
