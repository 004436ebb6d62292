package agents

import (
	"strings"
	"sync"
	"time"
)

// deltaEvery is the shortest time between two pieces of a streamed answer: often
// enough to read along, rare enough to keep the trace short.
const deltaEvery = 40 * time.Millisecond

// stream gathers a model's text into pieces. The first is emitted at once.
type stream struct {
	emit func(text string)

	mu     sync.Mutex
	buf    strings.Builder
	last   time.Time // of the last piece
	timer  *time.Timer
	closed bool
}

func newStream(emit func(string)) *stream { return &stream{emit: emit} }

// write adds text.
func (s *stream) write(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.buf.WriteString(text)
	wait := deltaEvery - time.Since(s.last)
	switch {
	case wait <= 0:
		s.flush()
	case s.timer == nil:
		s.timer = time.AfterFunc(wait, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.flush()
		})
	}
}

// close emits the remaining text. Nothing is emitted after it returns.
func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	s.closed = true
}

func (s *stream) flush() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if s.buf.Len() > 0 {
		s.emit(s.buf.String())
		s.buf.Reset()
		s.last = time.Now()
	}
}
