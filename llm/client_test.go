package llm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const (
	hello  = `data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}` + "\n\n"
	stop   = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	done   = "data: [DONE]\n\n"
	secret = "sk-the-key-that-nobody-may-see"
)

// ask puts one turn to a server that is this handler.
func ask(t *testing.T, h http.HandlerFunc) (Reply, error) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	m, err := NewOpenAI(Config{BaseURL: srv.URL + "/v1", Model: "m", APIKey: secret, IdleTimeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return m.Complete(t.Context(), Request{Messages: []Message{{Role: RoleUser, Content: "hi"}}}, func(string) {})
}

// says streams a text as it stands.
func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, body)
	}
}

func answers(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func hangs(before string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if before != "" {
			says(before)(w, r)
			w.(http.Flusher).Flush()
		}
		io.Copy(io.Discard, r.Body) // a server notices a client that leaves once it has read all
		<-r.Context().Done()
	}
}

func TestRepliesThatAreUnderstood(t *testing.T) {
	call := func(s string) string {
		return `data: {"choices":[{"index":0,"delta":{"tool_calls":[` + s + `]}}]}` + "\n\n"
	}
	for _, tc := range []struct {
		name, body, content string
		calls               []ToolCall
	}{
		{"plain", hello + stop + done, "Hello", nil},
		{"without DONE", hello + stop, "Hello", nil},
		{"comments and heartbeats", strings.Repeat(": ping\n\n", 200) + "event: message\n" + hello + "data:\n\nretry: 5\n\n" + stop + done, "Hello", nil},
		{"usage without a choice", hello + stop + `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}` + "\n\n" + done, "Hello", nil},
		{"a call in pieces", call(`{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}`) + call(`{"index":0,"function":{"arguments":":1}"}}`) + stop, "",
			[]ToolCall{{"a", "f", `{"x":1}`}}},
		{"calls without index or ID", call(`{"function":{"name":"f","arguments":"{}"}}`) + call(`{"function":{"name":"g","arguments":""}}`) + stop, "",
			[]ToolCall{{"call_1", "f", "{}"}, {"call_2", "g", "{}"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := ask(t, says(tc.body))
			if err != nil || r.Content != tc.content || fmt.Sprint(r.ToolCalls) != fmt.Sprint(tc.calls) {
				t.Errorf("reply %+v, %v", r, err)
			}
		})
	}
	t.Run("not streamed", func(t *testing.T) {
		r, err := ask(t, answers(200, "application/json", `{"choices":[{"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":4}}`))
		if err != nil || r.Content != "Hello" || r.Usage.PromptTokens != 4 {
			t.Errorf("reply %+v, %v", r, err)
		}
	})
}

func TestRepliesThatAreErrors(t *testing.T) {
	many := strings.Builder{}
	for i := range 1000 {
		fmt.Fprintf(&many, `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":%d,"id":"c%d","function":{"name":"f","arguments":"{}"}}]}}]}`+"\n\n", i, i)
	}
	for _, tc := range []struct {
		name   string
		server http.HandlerFunc
		want   Kind
	}{
		{"500", answers(500, "application/json", `{"error":{"message":"boom `+secret+`"}}`), KindServer},
		{"500 in HTML", answers(500, "text/html", "<h1>boom "+secret+"</h1>"), KindServer},
		{"401", answers(401, "application/json", `{"error":{"message":"bad key `+secret+`"}}`), KindAuth},
		{"404", answers(404, "text/plain", "not found"), KindServer},
		{"429 for a long time", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(429)
		}, KindRateLimited},
		{"garbage", says("data: {nope\n\n"), KindProtocol},
		{"HTML with 200", answers(200, "text/html", "<h1>hello</h1>"), KindProtocol},
		{"JSON without choices", answers(200, "application/json", `{"choices":[]}`), KindProtocol},
		{"no choices", says(done), KindProtocol},
		{"nothing at all", says(""), KindProtocol},
		{"half a stream", says(hello), KindProtocol},
		{"an empty reply", says(stop + done), KindProtocol},
		{"an error in the stream", says(hello + `data: {"error":{"message":"overloaded ` + secret + `"}}` + "\n\n"), KindServer},
		{"a thousand tool calls", says(many.String() + stop), KindLimit},
		{"a negative index", says(`data: {"choices":[{"delta":{"tool_calls":[{"index":-1,"id":"a"}]}}]}` + "\n\n" + stop), KindLimit},
		{"endless text", says(strings.Repeat(strings.Replace(hello, "Hello", strings.Repeat("x", 4000), 1), 100)), KindLimit},
		{"hangs before the first word", hangs(""), KindTimeout},
		{"hangs in the middle", hangs(hello), KindTimeout},
		{"redirects elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}, KindServer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := ask(t, tc.server)
			var e *Error
			if !errors.As(err, &e) || e.Kind != tc.want {
				t.Fatalf("error %v (%T), want kind %s", err, err, tc.want)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %s", err, err, e.Hint), secret) {
				t.Error("the error holds the key")
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	m, err := NewOpenAI(Config{BaseURL: "http://127.0.0.1:1/v1", Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Complete(t.Context(), Request{Messages: []Message{{Role: RoleUser, Content: "hi"}}}, func(string) {})
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindUnreachable {
		t.Errorf("error %v, want kind unreachable", err)
	}
}

func TestCancelled(t *testing.T) {
	srv := httptest.NewServer(hangs(hello))
	defer srv.Close()
	m, err := NewOpenAI(Config{BaseURL: srv.URL, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = m.Complete(ctx, Request{Messages: []Message{{Role: RoleUser, Content: "hi"}}}, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

// A server that is busy for a moment is asked again; nothing is asked twice
// that may have been done.
func TestRetries(t *testing.T) {
	for status, want := range map[int]int32{429: 2, 503: 2, 500: 1, 400: 1} {
		var asked atomic.Int32
		_, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) == 1 {
				w.WriteHeader(status)
				return
			}
			says(hello+stop+done)(w, r)
		})
		if asked.Load() != want || (err == nil) != (want == 2) {
			t.Errorf("%d: asked %d times, want %d; error %v", status, asked.Load(), want, err)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{}, {BaseURL: "ftp://x", Model: "m"}, {BaseURL: "x", Model: "m"}, {BaseURL: "http://x"}} {
		if _, err := NewOpenAI(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
