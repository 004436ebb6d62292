package sse

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// message is how a browser sees one block of an event stream.
type message struct{ id, event, data string }

// parse reads a stream as the standard says (WHATWG HTML, section 9.2.6): a
// line ends with CR, LF or both, and an empty one ends a message.
func parse(stream string) (out []message) {
	var m message
	var data []string
	for line := range strings.SplitSeq(newlines.Replace(stream), "\n") {
		if line == "" {
			if data != nil || m.event != "" {
				m.data = strings.Join(data, "\n")
				out = append(out, m)
			}
			m, data = message{}, nil
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			m.id = value
		case "event":
			m.event = value
		case "data":
			data = append(data, value)
		}
	}
	return out
}

// The data of a message can neither end it nor become a field.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{"", "<p>one</p>", "two\nlines", "a\r\nb", "x\rid: 99\revent: close\r\rdata: y", "\n\n", ": not a comment", " leading", "\x00", "\ufeffx"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := parse(string(Append(nil, 7, []byte(text))))
		want := message{"7", "", newlines.Replace(text)}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func TestResumeAfter(t *testing.T) {
	tests := []struct {
		header, query string
		want          int64
		fails         bool
	}{
		{"", "", 0, false},
		{"", "7", 7, false},
		{"9", "", 9, false},
		{"9", "7", 9, false}, // the address is that of the first connection
		{"0", "7", 0, false},
		{"", "-1", 0, true},
		{"-1", "", 0, true},
		{"x", "7", 0, true},
		{"", "1e3", 0, true},
		{"", "9223372036854775808", 0, true},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/runs/x/frames?after="+tt.query, nil)
		if tt.header != "" {
			r.Header.Set("Last-Event-ID", tt.header)
		}
		got, err := ResumeAfter(r)
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("header %q, after=%s: %s, %v", tt.header, tt.query, strconv.FormatInt(got, 10), err)
		}
	}
}

// A stream sends what comes, comments while nothing does, and ends with its
// source or with the server.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := New()
		feed := trace.NewFeed[string]()
		w := httptest.NewRecorder()
		done := make(chan struct{})
		go func() {
			defer close(done)
			streams.Serve(w, httptest.NewRequest("GET", "/", nil), func(s *Stream) {
				Follow(s, feed.From(0), func(b []byte, item string) ([]byte, error) { return Append(b, 1, []byte(item)), nil })
			})
		}()
		feed.Append("one")
		synctest.Wait()
		time.Sleep(2*keepAlive + time.Second)
		synctest.Wait()
		feed.Append("two")
		synctest.Wait()
		const want = ": connected\n\nid: 1\ndata: one\n\n: waiting\n\n: waiting\n\nid: 1\ndata: two\n\n"
		if got := w.Body.String(); got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
		streams.Close()
		<-done
	})
}
