package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sashabaranov/go-openai"
)

// A request is repeated when the server did nothing with it, never when it may
// have.
func TestRetries(t *testing.T) {
	for status, want := range map[int]int32{429: 2, 502: 2, 503: 2, 504: 2, 400: 1, 401: 1, 404: 1, 500: 1} {
		var asked atomic.Int32
		m := modelOf(t, configOf(t, func(w http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); err != nil || !strings.Contains(string(body), `"hi"`) {
				t.Errorf("try %d sends %q, %v", asked.Load()+1, body, err)
			}
			if asked.Add(1) == 1 {
				w.WriteHeader(status)
				return
			}
			says(hello+stop+done)(w, r)
		}))
		_, err := ask(t, m, hi)
		if asked.Load() != want || (err == nil) != (want == 2) {
			t.Errorf("%d: asked %d times, want %d; error %v", status, asked.Load(), want, err)
		}
	}
}

func TestAStreamThatBeganIsNotRepeated(t *testing.T) {
	var asked atomic.Int32
	m := modelOf(t, configOf(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		says(hello)(w, r)
		panic(http.ErrAbortHandler)
	}))
	if _, err := ask(t, m, hi); err == nil || asked.Load() != 1 {
		t.Errorf("asked %d times, %v", asked.Load(), err)
	}
}

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// waited is how long a model is tried, and how often, that answers like this.
func waited(t *testing.T, answer func(try int) (*http.Response, error)) (took time.Duration, tries int, err error) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		m, newErr := NewOpenAI(Config{BaseURL: "http://model.test", Model: "m", APIKey: secret, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			tries++
			return answer(tries)
		})})
		if newErr != nil {
			t.Fatal(newErr)
		}
		_, err = m.Complete(t.Context(), hi, func(string) {})
		took = time.Since(start)
	})
	return took, tries, err
}

func response(status int, retryAfter string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {retryAfter}, "Content-Type": {"text/event-stream"}},
		Body: io.NopCloser(strings.NewReader(hello + stop))}
}

func TestWaiting(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	tests := []struct {
		name   string
		answer func(try int) (*http.Response, error)
		tries  int
		took   time.Duration
		fails  string // "" if it succeeds in the end
	}{
		{"as long as the server asks", func(try int) (*http.Response, error) {
			return response(map[int]int{1: 429, 2: 200}[try], "3"), nil
		}, 2, 3 * time.Second, ""},
		{"until the date it names", func(try int) (*http.Response, error) {
			return response(map[int]int{1: 503, 2: 200}[try], time.Now().Add(2*time.Second).UTC().Format(http.TimeFormat)), nil
		}, 2, 2 * time.Second, ""},
		{"a moment if it names none", func(try int) (*http.Response, error) { return response(503, ""), nil }, 3, 750 * time.Millisecond, "answered 503"},
		{"a moment if it names the past", func(try int) (*http.Response, error) { return response(503, "-7"), nil }, 3, 750 * time.Millisecond, "answered 503"},
		{"not for an hour", func(try int) (*http.Response, error) { return response(429, "3600"), nil }, 1, 0, "it asks to wait 1h0m0s"},
		{"for a server that starts", func(try int) (*http.Response, error) {
			if try < 3 {
				return nil, refused
			}
			return response(200, ""), nil
		}, 3, 750 * time.Millisecond, ""},
		{"not for one that never does", func(int) (*http.Response, error) { return nil, refused }, 3, 750 * time.Millisecond, "can't be reached"},
		{"not for a broken connection", func(int) (*http.Response, error) { return nil, errors.New("connection reset, " + secret) }, 1, 0, "can't be reached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			took, tries, err := waited(t, tt.answer)
			if tries != tt.tries || took != tt.took {
				t.Errorf("%d tries in %s, want %d in %s", tries, took, tt.tries, tt.took)
			}
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("error %v, want %q", err, tt.fails)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error holds the key: %v", err)
			}
		})
	}
}

// The library's reader must come through whatever the filter lets pass, and
// everything that is data must pass.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(hello + stop + done))
	f.Add([]byte(": ping\n\nevent: x\r\ndata:\n\n" + hello + "data: {\"error\":{}}\n\n"))
	f.Add([]byte("data: {\"a\":\ndata: 1}\n\ndata: [DO\n\ndata: \"error\"\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		clean, err := io.ReadAll(newEvents(bytes.NewReader(stream), "the model server"))
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("error %v", err)
		}
		for line := range strings.SplitSeq(string(clean), "\n\n") {
			if data, ok := strings.CutPrefix(line, "data: "); line != "" && (!ok || strings.TrimSpace(data) == "" || strings.Contains(data, "\n")) {
				t.Fatalf("the filter passes on %q", line)
			}
		}
		again, err := io.ReadAll(newEvents(bytes.NewReader(clean), "the model server"))
		if err != nil || !bytes.Equal(clean, again) {
			t.Errorf("filtered again, %q becomes %q, %v", clean, again, err)
		}
		srv := roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(bytes.NewReader(stream))}, nil
		})
		m, err := NewOpenAI(Config{BaseURL: "http://model.test", Model: "m", Transport: srv})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := ask(t, m, hi); err == nil && r.Content == "" && len(r.ToolCalls) == 0 {
			t.Error("an empty reply is no error")
		}
	})
}

func BenchmarkComplete(b *testing.B) {
	const pieces = 200
	srv := httptest.NewServer(says(strings.Repeat(hello, pieces) + stop + done))
	defer srv.Close()
	m, err := NewOpenAI(Config{BaseURL: srv.URL, Model: "m", Transport: srv.Client().Transport})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Complete(b.Context(), hi, func(string) {}); err != nil {
			b.Fatal(err)
		}
	}
}

// The protocol's types are the library's: this fails when they change.
func TestTheLibraryLeavesOutWhatIsEmpty(t *testing.T) {
	b, err := json.Marshal(openai.ChatCompletionMessage{Role: "tool", ToolCallID: "a"})
	if err != nil || strings.Contains(string(b), "content") {
		t.Errorf("%s, %v: the workaround in message is no longer needed", b, err)
	}
}
