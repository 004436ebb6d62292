package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Pieces of a stream.
const (
	hello = `data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}` + "\n\n"
	stop  = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	done  = "data: [DONE]\n\n"
)

// secret is a key that nobody may see.
const secret = "sk-the-key-that-nobody-may-see"

var hi = Request{Messages: []Message{{Role: RoleUser, Content: "hi"}}}

// configOf is a configuration for a server that is this handler.
func configOf(t testing.TB, h http.HandlerFunc) Config {
	t.Helper()
	srv := httptest.NewServer(h)
	own := &http.Transport{}
	t.Cleanup(func() { own.CloseIdleConnections(); srv.Close() })
	return Config{BaseURL: srv.URL + "/v1", Model: "m", APIKey: secret, Transport: own}
}

func modelOf(t testing.TB, cfg Config) Model {
	t.Helper()
	m, err := NewOpenAI(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.(*client).delay = time.Millisecond
	return m
}

// ask puts a turn to a model and checks that it streamed the text of its reply.
func ask(t testing.TB, m Model, req Request) (Reply, error) {
	t.Helper()
	var streamed strings.Builder
	r, err := m.Complete(t.Context(), req, func(s string) { streamed.WriteString(s) })
	if err == nil && streamed.String() != r.Content {
		t.Errorf("streamed %q, replied %q", streamed.String(), r.Content)
	}
	return r, err
}

func withTimeout(t testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// says streams a text as it stands.
func says(body string) http.HandlerFunc { return answers(http.StatusOK, "text/event-stream", body) }

func answers(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// hangs writes the beginning of a reply, which may be empty, and then nothing more.
func hangs(before string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then does a server notice that its client goes
		if before != "" {
			says(before)(w, r)
			http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}
}

// delta is an event with tool calls in it.
func delta(calls ...string) string {
	return `data: {"choices":[{"index":0,"delta":{"tool_calls":[` + strings.Join(calls, ",") + `]}}]}` + "\n\n"
}

func TestRepliesThatAreUnderstood(t *testing.T) {
	whole := func(message, finish string) http.HandlerFunc {
		return answers(200, "application/json; charset=utf-8", `{"choices":[{"index":0,"message":`+message+`,"finish_reason":`+finish+`}],"usage":{"prompt_tokens":4,"completion_tokens":2}}`)
	}
	text := Reply{Content: "Hello", FinishReason: "stop"}
	calls := func(calls ...ToolCall) Reply { return Reply{ToolCalls: calls, FinishReason: "stop"} }
	f, g := ToolCall{ID: "a", Name: "f", Arguments: `{"x":1}`}, ToolCall{ID: "b", Name: "g", Arguments: `{}`}
	tests := []struct {
		name   string
		server http.HandlerFunc
		want   Reply
	}{
		{"a stream", says(hello + stop + done), text},
		{"finished with the text", says(strings.Replace(hello, `}}]}`, `},"finish_reason":"stop"}]}`, 1) + done), text},
		{"a null finish reason before", says(strings.Replace(hello, `}}]}`, `},"finish_reason":null}]}`, 1) + stop + done), text},
		{"without [DONE]", says(hello + stop), text},
		{"without an empty line at the end", says(hello + strings.TrimSpace(stop)), text},
		{"one line for each event", says(strings.ReplaceAll(hello+stop+done, "\n\n", "\n")), text},
		{"without a space", says(strings.ReplaceAll(hello+stop+done, "data: ", "data:")), text},
		{"CRLF and a byte order mark", says("\uFEFF" + strings.ReplaceAll(hello+stop+done, "\n", "\r\n")), text},
		{"data on several lines", says(strings.Replace(hello, `"delta"`, "\ndata: \"delta\"", 1) + stop + done), text},
		{"heartbeats", says(strings.Repeat(": ping\n\n", 150) + hello + strings.Repeat(": OPENROUTER PROCESSING\n\n", 150) + stop + done), text},
		{"event names, IDs, retries, empty data", says("retry: 5\n\nevent: message\nid: 1\n" + hello + "data:\n\ndata: \n\n" + stop + done), text},
		{"words after the end", says(hello + stop + done + hello), text},
		{"a refusal of the model's own", says(strings.Replace(hello, "content", "refusal", 1) + stop + done), text},
		{"usage without a choice", says(hello + stop + `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}` + "\n\n" + done),
			Reply{Content: "Hello", FinishReason: "stop", Usage: Usage{3, 1}}},
		{"cut off for length", says(hello + strings.Replace(stop, "stop", "length", 1) + done), Reply{Content: "Hello", FinishReason: "length"}},

		{"calls in pieces", says(delta(`{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}`) + delta(`{"index":1,"id":"b","function":{"name":"g"}}`) +
			delta(`{"index":0,"function":{"arguments":":1}"}}`) + stop + done), calls(f, g)},
		{"whole calls at once", says(delta(`{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}`, `{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}`) + stop), calls(f, g)},
		{"numbered from one, with a gap", says(delta(`{"index":1,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}`) + delta(`{"index":7,"id":"b","function":{"name":"g"}}`) + stop), calls(f, g)},
		{"all numbered 0", says(delta(`{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}`) + delta(`{"index":0,"id":"b","function":{"name":"g"}}`) + stop), calls(f, g)},
		{"without numbers", says(delta(`{"id":"a","function":{"name":"f","arguments":"{\"x\""}}`) + delta(`{"function":{"arguments":":1}"}}`) + delta(`{"id":"b","function":{"name":"g"}}`) + stop), calls(f, g)},
		{"the name in each piece", says(delta(`{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}`) + delta(`{"index":0,"id":"a","function":{"name":"f","arguments":":1}"}}`) + stop), calls(f)},
		{"without IDs", says(delta(`{"index":0,"function":{"name":"f"}}`, `{"index":1,"function":{"name":"g"}}`) + stop), calls(ToolCall{ID: "call00001", Name: "f", Arguments: "{}"}, ToolCall{ID: "call00002", Name: "g", Arguments: "{}"})},
		{"with the same ID", says(delta(`{"index":0,"id":"a","function":{"name":"f"}}`, `{"index":1,"id":"a","function":{"name":"g"}}`) + stop), calls(ToolCall{ID: "a", Name: "f", Arguments: "{}"}, ToolCall{ID: "call00002", Name: "g", Arguments: "{}"})},

		{"not streamed", whole(`{"role":"assistant","content":"Hello"}`, `"stop"`), Reply{Content: "Hello", FinishReason: "stop", Usage: Usage{4, 2}}},
		{"calls, not streamed", whole(`{"content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}`, `"tool_calls"`),
			Reply{ToolCalls: []ToolCall{f, g}, FinishReason: "tool_calls", Usage: Usage{4, 2}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ask(t, modelOf(t, configOf(t, tt.server)), hi)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRepliesThatAreErrors(t *testing.T) {
	var many strings.Builder
	for i := range 1000 {
		many.WriteString(delta(fmt.Sprintf(`{"index":%d,"id":"c%d","function":{"name":"f","arguments":"{}"}}`, i, i)))
	}
	failure := func(body string) http.HandlerFunc {
		return answers(500, "application/json", `{"error":{"message":`+body+`}}`)
	}
	tests := []struct {
		name   string
		server http.HandlerFunc
		kind   Kind
		status int
		says   string // in the error
	}{
		{"500", failure(`"out of memory"`), KindServer, 500, "answered 500: out of memory"},
		{"500 in HTML", answers(500, "text/html", "<html><title>Bad &amp; Gateway</title><h1>oops</h1>"), KindServer, 500, "answered 500: Bad & Gateway"},
		{"401", answers(401, "application/json", `{"error":{"message":"Incorrect API key provided: `+secret+`, sorry"}}`), KindAuth, 401, "provided: …, sorry: check LLM_API_KEY"},
		{"403", answers(403, "text/plain", secret), KindAuth, 403, "check LLM_API_KEY"},
		{"404", answers(404, "application/json", `{"error":{"message":"model \"m\" not found"}}`), KindServer, 404, `model "m" not found: check LLM_MODEL`},
		{"400 with the key in it", answers(400, "application/json", `{"error":"no tools for `+secret+`"}`), KindServer, 400, `no tools for …`},
		{"422 at length", answers(422, "application/json", `{"detail":"`+strings.Repeat("long ", 400)+`"}`), KindServer, 422, "long long"},
		{"a redirect elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}, KindServer, 307, "LLM_BASE_URL"},
		{"204", answers(204, "", ""), KindServer, 204, "answered 204"},

		{"garbage in a stream", says("data: {nope\n\n"), KindProtocol, 0, "can't be read"},
		{"an event that breaks off", says(strings.Replace(hello, `"delta"`, "\n\ndata: \"delta\"", 1) + stop), KindProtocol, 0, "can't be read"},
		{"a choice that is none", says(`data: {"choices":"none"}` + "\n\n"), KindProtocol, 0, "can't be read"},
		{"a page", answers(200, "text/html", "<title>It works!</title>"), KindProtocol, 0, "It works!"},
		{"another protocol", answers(200, "application/x-ndjson", "hello"), KindProtocol, 0, "usually ends in /v1"},
		{"JSON without choices", answers(200, "application/json", `{"choices":[]}`), KindEmpty, 0, "empty reply"},
		{"JSON of something else", answers(200, "application/json", `{"models":[]}`), KindProtocol, 0, "not a chat completion"},
		{"JSON that is none", answers(200, "application/json", `{`), KindProtocol, 0, "not a chat completion"},
		{"JSON with an error", answers(200, "application/json", `{"error":{"message":"too fast","code":429}}`), KindRateLimited, 429, "answered 429: too fast"},
		{"no choices", says(`data: {"choices":[]}` + "\n\n" + done), KindEmpty, 0, "empty reply"},
		{"nothing at all", says(""), KindEmpty, 0, "empty reply"},
		{"heartbeats alone", says(strings.Repeat(": ping\n\n", 150)), KindEmpty, 0, "empty reply"},
		{"nothing but an end", says(stop + done), KindEmpty, 0, "without text or a tool call"},
		{"half a stream", says(hello), KindInterrupted, 0, "broke off"},
		{"a connection that is cut", func(w http.ResponseWriter, r *http.Request) {
			says(hello)(w, r)
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, KindInterrupted, 0, "broke off"},
		{"a connection that is cut at once", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, KindUnreachable, 0, "can't be reached"},
		{"an error in the stream", says(hello + "event: error\n" + `data: {"error":{"message":"no disk"}}` + "\n\n"), KindServer, 0, "reported an error: no disk"},
		{"an error in the stream, as text", says(hello + `data: {"error":"no disk"}` + "\n\n" + stop), KindServer, 0, "reported an error: no disk"},
		{"an error with a status", says(`data: {"error":{"message":"no","code":401}}` + "\n\n"), KindAuth, 401, "check LLM_API_KEY"},
		{"a call without a name", says(delta(`{"index":0,"id":"a","function":{"arguments":"{}"}}`) + stop), KindProtocol, 0, "without naming it"},

		{"a thousand tool calls", says(many.String() + stop), KindLimit, 0, "may ask for 32 tools"},
		{"endless arguments", says(strings.Repeat(delta(`{"index":0,"id":"a","function":{"name":"f","arguments":"`+strings.Repeat("x", 4000)+`"}}`), 20)), KindLimit, 0, "arguments of a tool call had no end"},
		{"endless text", says(strings.Repeat(strings.Replace(hello, "Hello", strings.Repeat("x", 4000), 1), 100)), KindLimit, 0, "bytes of text"},
		{"an endless line", says("data: {" + strings.Repeat(" ", 2<<20)), KindLimit, 0, "a line may have"},
		{"endless nothing", says(strings.Repeat(": "+strings.Repeat("x", 1000)+"\n\n", 5000)), KindLimit, 0, "an answer may have"},
		{"endless JSON", answers(200, "application/json", `{"choices":[`+strings.Repeat(" ", 5<<20)), KindLimit, 0, "an answer may have"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := ask(t, modelOf(t, configOf(t, tt.server)), hi)
			e, ok := err.(*Error)
			if !ok {
				t.Fatalf("error %v (%T), want an *Error", err, err)
			}
			if e.Kind != tt.kind || e.Status != tt.status || !strings.Contains(e.Error(), tt.says) {
				t.Errorf("error %q of kind %s, status %d; want kind %s, status %d and %q", e, e.Kind, e.Status, tt.kind, tt.status, tt.says)
			}
			if !strings.HasPrefix(e.Message, "the model server at 127.0.0.1:") {
				t.Errorf("the error does not name the server: %s", e)
			}
			for _, never := range []string{secret, "<"} {
				if strings.Contains(fmt.Sprintf("%s %+v %#v", e, e, e), never) {
					t.Errorf("the error shows %q: %s", never, e)
				}
			}
			if len(e.Error()) > 500 {
				t.Errorf("the error has %d characters", len(e.Error()))
			}
		})
	}
}

func TestAServerThatHangs(t *testing.T) {
	const short, long = 100 * time.Millisecond, time.Minute
	tests := []struct {
		name            string
		server          http.HandlerFunc
		firstWord, idle time.Duration
	}{
		{"before its headers", hangs(""), short, long},
		{"before the first word", hangs(": ping\n\n"), short, long},
		{"in the middle", hangs(hello), long, short},
		{"in the middle, but for heartbeats", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			says(hello)(w, r)
			for r.Context().Err() == nil {
				io.WriteString(w, ": ping\n\n")
				http.NewResponseController(w).Flush()
				time.Sleep(time.Millisecond)
			}
		}, long, short},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := configOf(t, tt.server)
			cfg.FirstWordTimeout, cfg.IdleTimeout = tt.firstWord, tt.idle
			_, err := ask(t, modelOf(t, cfg), hi)
			var e *Error
			if !errors.As(err, &e) || e.Kind != KindTimeout || !strings.Contains(e.Error(), "127.0.0.1") || !strings.Contains(e.Error(), "said nothing for 100ms") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A caller that takes its time is not a server that is silent.
func TestACallerThatIsSlow(t *testing.T) {
	cfg := configOf(t, says(hello+hello+stop+done))
	cfg.IdleTimeout = 100 * time.Millisecond
	if _, err := modelOf(t, cfg).Complete(t.Context(), hi, func(string) { time.Sleep(150 * time.Millisecond) }); err != nil {
		t.Error(err)
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	srv := httptest.NewServer(nil)
	srv.Close()
	m, err := NewOpenAI(Config{BaseURL: srv.URL, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if _, err = ask(t, m, hi); !errors.As(err, &e) || e.Kind != KindUnreachable || !strings.Contains(e.Hint, "LLM_BASE_URL") {
		t.Errorf("error %v", err)
	}
}

func TestTheCallersEnd(t *testing.T) {
	m := modelOf(t, configOf(t, hangs(hello)))
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := m.Complete(ctx, hi, func(string) { cancel() })
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindCancelled || !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("out of time", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := m.Complete(ctx, hi, func(string) {})
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindTimeout || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(e.Message, "127.0.0.1") {
			t.Errorf("error %v", err)
		}
	})
}

// What the library would leave out of a request is in it.
func TestWhatIsSent(t *testing.T) {
	var sent map[string]any
	var header http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		if r.URL.Path != "/v1/chat/completions" {
			t.Errorf("path %s", r.URL.Path)
		}
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
		says(hello+stop)(w, r)
	}))
	defer srv.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	zero := float32(0)
	m, err := NewOpenAI(Config{BaseURL: srv.URL + "/v1/", Model: "m", Temperature: &zero})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t, m, Request{
		Messages: []Message{{Role: RoleSystem, Content: "s"}, {Role: RoleUser, Content: "u"},
			{Role: RoleAssistant, ToolCalls: []ToolCall{{ID: "a", Name: "f"}}}, {Role: RoleTool, ToolCallID: "a"}},
		Tools: []Tool{{Name: "f", Description: "d", Parameters: json.RawMessage(`{"type":"object"}`)}},
	}); err != nil {
		t.Fatal(err)
	}
	if temperature, given := sent["temperature"].(float64); !given || temperature != 0 {
		t.Errorf("temperature = %v, want 0", sent["temperature"])
	}
	want := []any{
		map[string]any{"role": "system", "content": "s"}, map[string]any{"role": "user", "content": "u"},
		map[string]any{"role": "assistant", "content": nil, "tool_calls": []any{map[string]any{"id": "a", "type": "function", "function": map[string]any{"name": "f", "arguments": "{}"}}}},
		map[string]any{"role": "tool", "tool_call_id": "a", "content": "{}"},
	}
	if diff := cmp.Diff(want, sent["messages"]); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{map[string]any{"type": "function", "function": map[string]any{"name": "f", "description": "d", "parameters": map[string]any{"type": "object"}}}}, sent["tools"]); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"include_usage": true}, sent["stream_options"]); diff != "" || sent["stream"] != true {
		t.Errorf("stream %v, options %v", sent["stream"], sent["stream_options"])
	}
	if _, sentKey := header["Authorization"]; sentKey {
		t.Error("an Authorization header was sent without a key")
	}
}

func TestConfig(t *testing.T) {
	good := Config{BaseURL: "http://localhost:11434/v1", Model: "m", APIKey: secret}
	if m, err := NewOpenAI(good); err != nil || m.Mode() != ModeRemote || m.Name() != "m" {
		t.Errorf("a good configuration: %v", err)
	}
	for name, change := range map[string]func(*Config){
		"no URL":                func(c *Config) { c.BaseURL = "" },
		"no scheme":             func(c *Config) { c.BaseURL = "localhost:11434" },
		"another scheme":        func(c *Config) { c.BaseURL = "ftp://localhost" },
		"no model":              func(c *Config) { c.Model = "" },
		"a key with a newline":  func(c *Config) { c.APIKey = secret + "\n" },
		"a key in a quotation":  func(c *Config) { c.APIKey = "“" + secret + "”" },
		"an unknown API":        func(c *Config) { c.API = "soap" },
		"a negative limit":      func(c *Config) { c.MaxTokens = -1 },
		"a high temperature":    func(c *Config) { c.Temperature = new(float32(3)) },
		"a password in the URL": func(c *Config) { c.BaseURL = "http://user:" + secret + "@local\x00host" },
	} {
		c := good
		change(&c)
		if _, err := NewOpenAI(c); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
