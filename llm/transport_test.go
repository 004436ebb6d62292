package llm

import (
	"bytes"
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
)

// A request is repeated after failures that may pass, never after a refusal.
func TestRetries(t *testing.T) {
	for status, want := range map[int]int32{408: 2, 429: 2, 500: 2, 502: 2, 503: 2, 504: 2, 520: 2, 529: 2, 400: 1, 401: 1, 402: 1, 403: 1, 404: 1, 413: 1, 501: 1} {
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

// What has been shown can't be taken back: a stream that breaks off after its
// first word is not repeated, one that breaks off before is.
func TestOnlyWhatWasNotShownIsRepeated(t *testing.T) {
	for name, tt := range map[string]struct {
		before string
		want   int32
	}{
		"before the first word": {": ping\n\n" + delta(`{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}`), 2},
		"after it":              {hello, 1},
	} {
		var asked atomic.Int32
		m := modelOf(t, configOf(t, func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) > 1 {
				says(hello+stop)(w, r)
				return
			}
			says(tt.before)(w, r)
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}))
		if _, err := ask(t, m, hi); asked.Load() != tt.want || (err == nil) != (tt.want == 2) {
			t.Errorf("%s: asked %d times, %v", name, asked.Load(), err)
		}
	}
}

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// waited reports for how long, and how often, a model is tried that answers
// like this, and which waits it announced.
func waited(t *testing.T, respond func(try int) (*http.Response, error)) (took time.Duration, tries int, waits []Wait, err error) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		m, newErr := NewOpenAI(Config{BaseURL: "http://model.test/v1", Model: "m", APIKey: secret, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			tries++
			return respond(tries)
		})})
		if newErr != nil {
			t.Fatal(newErr)
		}
		req := hi
		req.OnWait = func(w Wait) { waits = append(waits, w) }
		_, err = m.Complete(t.Context(), req, func(string) {})
		took = time.Since(start)
	})
	return took, tries, waits, err
}

func answer(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"text/event-stream"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	if status == 200 {
		body = hello + stop
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// Waits are as long as the server asks, in whatever form it asks, but not for
// ever; otherwise they double. Each one of a second or more is announced.
func TestWaiting(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	once := func(status int, body string, header ...string) func(int) (*http.Response, error) {
		return func(try int) (*http.Response, error) {
			if try == 1 {
				return answer(status, body, header...), nil
			}
			return answer(200, ""), nil
		}
	}
	always := func(status int, body string, header ...string) func(int) (*http.Response, error) {
		return func(int) (*http.Response, error) { return answer(status, body, header...), nil }
	}
	const s = time.Second
	tests := []struct {
		name     string
		respond  func(try int) (*http.Response, error)
		tries    int
		from, to time.Duration
		waits    int
		fails    string // "" if it succeeds in the end
	}{
		{"seconds", once(429, "", "Retry-After", "3"), 2, 3 * s, 3200 * time.Millisecond, 1, ""},
		{"fractions", once(429, "", "Retry-After", "1.5"), 2, 1500 * time.Millisecond, 1700 * time.Millisecond, 1, ""},
		{"milliseconds", once(429, "", "Retry-After-Ms", "1200"), 2, 1200 * time.Millisecond, 1400 * time.Millisecond, 1, ""},
		{"a date", func(try int) (*http.Response, error) {
			if try > 1 {
				return answer(200, ""), nil
			}
			return answer(503, "", "Retry-After", time.Now().Add(2*s).UTC().Format(http.TimeFormat)), nil
		}, 2, 2 * s, 2200 * time.Millisecond, 1, ""},
		{"in the message", once(429, `{"error":{"message":"Rate limit reached. Please try again in 7.66s."}}`), 2, 7660 * time.Millisecond, 7800 * time.Millisecond, 1, ""},
		{"in Google's details", once(429, `[{"error":{"code":429,"message":"You exceeded your current quota.","details":[{"retryDelay":"4s"}]}}]`), 2, 4 * s, 4200 * time.Millisecond, 1, ""},
		{"not said", always(503, ""), 7, 20 * s, 40 * s, 5, "answered 503"},
		{"the past", always(500, "", "Retry-After", "-7"), 3, 1500 * time.Millisecond, 2 * s, 1, "answered 500"},
		{"an hour", always(429, "", "Retry-After", "3600"), 1, 0, 0, 0, "it asks to wait 1h0m0s, and a turn waits for 1m0s at most"},
		{"a model that loads for two minutes", func(try int) (*http.Response, error) {
			if try < 18 {
				return answer(503, `{"error":{"message":"Loading model","code":503}}`), nil
			}
			return answer(200, ""), nil
		}, 18, 100 * s, 180 * s, 16, ""},
		{"a model that never finishes loading", always(503, `{"error":{"message":"Loading model"}}`), 24, 100 * s, 180 * s, 22, "Loading model"},
		{"again and again", always(429, "", "Retry-After", "25"), 3, 50 * s, 52 * s, 2, "it asks to wait 25s"},
		{"a quota", always(429, `{"error":{"message":"You exceeded your current quota.","code":"insufficient_quota"}}`), 1, 0, 0, 0, "quota or credit is used up"},
		{"Google's daily quota", always(429, `{"error":{"message":"Quota exceeded.","details":[{"violations":[{"quotaId":"RequestsPerDay"}]},{"retryDelay":"4s"}]}}`), 1, 0, 0, 0, "quota or credit is used up"},
		{"a server that starts", func(try int) (*http.Response, error) {
			if try < 3 {
				return nil, refused
			}
			return answer(200, ""), nil
		}, 3, 1500 * time.Millisecond, 2 * s, 1, ""},
		{"a server that is not there", func(int) (*http.Response, error) { return nil, refused }, 3, 1500 * time.Millisecond, 2 * s, 1, "connection refused"},
		{"a name that is not known", func(int) (*http.Response, error) { return nil, &net.DNSError{Err: "no such host", Name: "x"} }, 1, 0, 0, 0, "not known to DNS"},
		{"a broken connection", func(int) (*http.Response, error) { return nil, errors.New("connection reset, " + secret) }, 3, 1500 * time.Millisecond, 2 * s, 1, "can't be reached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			took, tries, waits, err := waited(t, tt.respond)
			if tries < tt.tries-3 || tries > tt.tries || tt.tries < 10 && tries != tt.tries || took < tt.from || took > tt.to {
				t.Errorf("%d tries in %s, want %d in %s to %s", tries, took, tt.tries, tt.from, tt.to)
			}
			if len(waits) < tt.waits-3 || len(waits) > tt.waits || tt.waits < 10 && len(waits) != tt.waits {
				t.Errorf("%d waits announced, want %d: %v", len(waits), tt.waits, waits)
			}
			for _, w := range waits {
				if !strings.Contains(w.Reason, "model.test") || w.For < s || w.Limit < w.For {
					t.Errorf("announced %+v", w)
				}
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

// A caller who has no time to wait learns why at once.
func TestNoTimeToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := withTimeout(t, 2*time.Second)
		defer cancel()
		m, err := NewOpenAI(Config{BaseURL: "http://model.test/v1", Model: "m", Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return answer(429, `{"message":"slow down"}`, "Retry-After", "9"), nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err = m.Complete(ctx, hi, func(string) {}); err == nil || !strings.Contains(err.Error(), "slow down") || time.Since(start) > 0 {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

// What the filter lets pass, the library's reader must be able to read; and
// every event with data must pass.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(hello + stop + done))
	f.Add([]byte(": ping\n\nevent: x\r\ndata:\n\n" + hello + "data: {\"error\":{}}\n\n"))
	f.Add([]byte("data: {\"a\":\ndata: 1}\n\ndata: [DO\n\ndata: \"error\"\n"))
	f.Add([]byte("event: error\ndata: no disk\n\n"))
	f.Add([]byte("\uFEFFdata: {\"choices\":[{\"delta\":{\"content\":[\"<tool_call>{\"]},\"finish_reason\":3}]}\n\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		filter := func(b []byte) ([]byte, error) {
			failed := func([]byte) *Error { return &Error{Message: "reported"} }
			return io.ReadAll(newEvents(bytes.NewReader(b), "the model server", failed, func() {}))
		}
		clean, err := filter(stream)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("error %v", err)
		}
		for line := range strings.SplitSeq(string(clean), "\n\n") {
			if data, ok := strings.CutPrefix(line, "data: "); line != "" && (!ok || strings.TrimSpace(data) == "" || strings.Contains(data, "\n")) {
				t.Fatalf("the filter passes on %q", line)
			}
		}
		again, err := filter(clean)
		if err != nil || !bytes.Equal(clean, again) {
			t.Errorf("filtered again, %q becomes %q, %v", clean, again, err)
		}
		srv := roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(bytes.NewReader(stream))}, nil
		})
		for _, api := range []API{APIChat, APIResponses} {
			m := modelOf(t, Config{BaseURL: "http://model.test", Model: "m", API: api, Transport: srv})
			r, err := m.Complete(t.Context(), Request{Messages: hi.Messages, Tools: []Tool{{Name: "f"}}}, func(string) {})
			if err == nil && r.Content == "" && len(r.ToolCalls) == 0 {
				t.Error("an empty reply is no error")
			}
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
