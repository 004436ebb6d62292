package llm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// These tests play one conversation against servers with other servers'
// habits: the model calls two tools, reads their results and answers. Each
// habit was seen in a public bug report, which the table names.

const (
	chart, bill = "get_patient_records", "get_billing_history"
	theAnswer   = "Chart and billing were read. Nothing else was done."
	anArgument  = `{"patient_id":"P-1042"}`
)

// asked is a request as a server reads it.
type asked struct {
	n        int // which one, from 1
	body     string
	Messages []struct {
		Role       string            `json:"role"`
		Content    *string           `json:"content"`
		Reasoning  string            `json:"reasoning_content"`
		ToolCallID string            `json:"tool_call_id"`
		ToolCalls  []json.RawMessage `json:"tool_calls"`
	} `json:"messages"`
	Tools []any `json:"tools"`
}

// results is the number of tool results so far.
func (a asked) results() int {
	n := 0
	for _, m := range a.Messages {
		if m.Role == "tool" {
			n++
		}
	}
	return n
}

// calls lists the calls of the conversation so far.
func (a asked) calls() (calls []string) {
	for _, m := range a.Messages {
		for _, c := range m.ToolCalls {
			calls = append(calls, string(c))
		}
	}
	return calls
}

// server answers requests, and counts them.
type server struct {
	mu     sync.Mutex
	n      int
	answer func(asked) http.HandlerFunc
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.n++
	a := asked{n: s.n, body: string(body)}
	s.mu.Unlock()
	if err := json.Unmarshal(body, &a); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.answer(a)(w, r)
}

// Parts of streams.
func event(choice string) string { return `data: {"choices":[` + choice + `]}` + "\n\n" }

func words(text string) string {
	return event(fmt.Sprintf(`{"index":0,"delta":{"content":%s}}`, quoted(text)))
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func finish(reason string) string {
	return event(`{"index":0,"delta":{},"finish_reason":"` + reason + `"}`)
}

// call is a delta with one tool call; head goes before its function.
func call(head, name, arguments string) string {
	return delta(`{` + head + `"function":{"name":` + quoted(name) + `,"arguments":` + quoted(arguments) + `}}`)
}

// more continues a call.
func more(head, arguments string) string {
	return delta(`{` + head + `"function":{"arguments":` + quoted(arguments) + `}}`)
}

var (
	bothCalls = call(`"index":0,"id":"call_a",`, chart, anArgument) + call(`"index":1,"id":"call_b",`, bill, anArgument) + finish("tool_calls") + done
	answered  = words("Chart and billing ") + words("were read. Nothing else was done.") + finish("stop") + done
)

// usual is a server without habits.
func usual(a asked) http.HandlerFunc {
	if a.results() == 0 {
		return says(bothCalls)
	}
	return says(answered)
}

// script returns what the usual server streams.
func script(a asked) string {
	if a.results() == 0 {
		return bothCalls
	}
	return answered
}

// edited streams what the usual server streams, changed.
func edited(change func(string) string) func(asked) http.HandlerFunc {
	return func(a asked) http.HandlerFunc { return says(change(script(a))) }
}

// first streams this for the first turn, and answers as usual in the others.
func first(stream string) func(asked) http.HandlerFunc {
	return func(a asked) http.HandlerFunc {
		if a.results() == 0 {
			return says(stream)
		}
		return usual(a)
	}
}

// second answers the first turn as usual, and streams this for the others.
func second(stream string) func(asked) http.HandlerFunc {
	return func(a asked) http.HandlerFunc {
		if a.results() == 0 {
			return usual(a)
		}
		return says(stream)
	}
}

// seen is what came of a conversation.
type seen struct {
	calls    []ToolCall
	replies  []Reply
	streamed string // of the last turn
	err      *Error
	requests int
}

func (s seen) names() (names []string) {
	for _, c := range s.calls {
		names = append(names, c.Name)
	}
	return names
}

func (s seen) answer() string {
	if len(s.replies) == 0 {
		return ""
	}
	return s.replies[len(s.replies)-1].Content
}

// play holds a conversation with a server.
func play(t *testing.T, srv *server, change ...func(*Config)) seen {
	t.Helper()
	s := playAt(t, srv.ServeHTTP, change...)
	s.requests = srv.n
	return s
}

// playAt holds a conversation with any handler.
func playAt(t *testing.T, h http.HandlerFunc, change ...func(*Config)) seen {
	t.Helper()
	cfg := configOf(t, h)
	for _, c := range change {
		c(&cfg)
	}
	m, req, s := modelOf(t, cfg), about("P-1042", "Show records and check billing"), seen{}
	for range 6 {
		s.streamed = ""
		reply, err := m.Complete(t.Context(), req, func(text string) { s.streamed += text })
		if err != nil {
			if !errors.As(err, &s.err) {
				t.Fatal(err)
			}
			return s
		}
		s.replies = append(s.replies, reply)
		if len(reply.ToolCalls) == 0 {
			return s
		}
		req.Messages = append(req.Messages, reply.Message())
		for _, c := range reply.ToolCalls {
			s.calls = append(s.calls, c)
			req.Messages = append(req.Messages, Message{Role: RoleTool, ToolCallID: c.ID, Content: `{"status":"fine"}`})
		}
	}
	t.Fatalf("no answer after %q", s.names())
	return s
}

// worked checks that both tools were called once each, in order, with their
// arguments, and that the answer is the whole answer and nothing else.
func worked(t *testing.T, s seen) {
	t.Helper()
	if s.err != nil {
		t.Fatalf("error %v", s.err)
	}
	if !slices.Equal(s.names(), []string{chart, bill}) {
		t.Errorf("called %q", s.names())
	}
	for _, c := range s.calls {
		if c.Arguments != anArgument {
			t.Errorf("%s with %s", c.Name, c.Arguments)
		}
	}
	last := s.replies[len(s.replies)-1]
	if s.answer() != theAnswer || s.streamed != theAnswer || last.FinishReason != "stop" {
		t.Errorf("answered %q (%s), streamed %q", s.answer(), last.FinishReason, s.streamed)
	}
}

// Whatever the shape of its stream, a reply is understood.
func TestStreamsOfAnyShape(t *testing.T) {
	args := []string{`{"patient`, `_id":"P-1`, `042"}`}
	inPieces := func(head func(call, piece int) string, name func(call, piece int) string) string {
		var b strings.Builder
		for c := range 2 {
			b.WriteString(delta(`{` + head(c, 0) + `"function":{"name":` + quoted(name(c, 0)) + `,"arguments":""}}`))
			for p, arg := range args {
				if n := name(c, p+1); n != "" {
					b.WriteString(call(head(c, p+1), n, arg))
				} else {
					b.WriteString(more(head(c, p+1), arg))
				}
			}
		}
		return b.String() + finish("tool_calls") + done
	}
	idOnce := func(c, p int) string {
		if p > 0 {
			return ""
		}
		return fmt.Sprintf(`"id":"c%d",`, c)
	}
	both := []string{chart, bill}
	once := func(c, p int) string {
		if p > 0 {
			return ""
		}
		return both[c]
	}
	always := func(c, _ int) string { return both[c] }
	whole := func(c1, c2 string) string { return delta(c1) + delta(c2) + finish("tool_calls") + done }
	object := func(arguments string) string {
		return call(`"index":0,"id":"a",`, chart, arguments) + call(`"index":1,"id":"b",`, bill, arguments) + finish("tool_calls") + done
	}
	tests := []struct {
		name, source string
		answer       func(asked) http.HandlerFunc
	}{
		{"as usual", "OpenAI", usual},
		{"no index", "ollama/ollama#7881, openai/openai-python#2806", first(inPieces(idOnce, once))},
		{"index 0 for every call", "ollama/ollama#15457, vercel/ai#14277", first(inPieces(func(c, p int) string {
			return `"index":0,` + idOnce(c, p)
		}, once))},
		{"index 0 for every call, no IDs", "both together", first(inPieces(func(int, int) string { return `"index":0,` }, once))},
		{"index from 1", "NVIDIA NIM", first(inPieces(func(c, _ int) string { return fmt.Sprintf(`"index":%d,"id":"c%d",`, c+1, c) }, once))},
		{"index counts the pieces", "seen with choice indexes", first(inPieces(func(c, p int) string {
			return fmt.Sprintf(`"index":%d,`, c*10+p) + idOnce(c, p)
		}, once))},
		{"index as a string", "lenient", first(inPieces(func(c, _ int) string { return fmt.Sprintf(`"index":"%d","id":"c%d",`, c, c) }, once))},
		{"neither index nor ID", "vllm-project/vllm#18412", first(inPieces(func(int, int) string { return "" }, once))},
		{"no ID", "vllm-project/vllm#18412", first(inPieces(func(c, _ int) string { return fmt.Sprintf(`"index":%d,`, c) }, once))},
		{"ID in each piece", "JetBrains/koog#2052", first(inPieces(func(c, _ int) string { return fmt.Sprintf(`"index":%d,"id":"c%d",`, c, c) }, once))},
		{"another ID in each piece", "changing IDs", first(inPieces(func(c, p int) string { return fmt.Sprintf(`"index":%d,"id":"c%d%d",`, c, c, p) }, once))},
		{"another ID and the name in each piece", "changing IDs", first(inPieces(func(c, p int) string { return fmt.Sprintf(`"index":%d,"id":"c%d%d",`, c, c, p) }, always))},
		{"name in each piece", "NousResearch/hermes-agent#11984, open-webui/open-webui#22235", first(inPieces(func(c, _ int) string { return fmt.Sprintf(`"index":%d,"id":"c%d",`, c, c) }, always))},
		{"name in each piece, without index and ID", "the same", first(inPieces(func(int, int) string { return "" }, always))},
		{"name null later", "1CatAI/1Cat-vLLM#240, anomalyco/opencode#26412", first(delta(`{"index":0,"id":"a","type":"function","function":{"name":"`+chart+`","arguments":""}}`) +
			delta(`{"index":0,"id":null,"type":null,"function":{"name":null,"arguments":`+quoted(anArgument)+`}}`) + call(`"index":1,"id":"b",`, bill, anArgument) + finish("tool_calls") + done)},
		{"name in pieces", "streamed tokens", first(call(`"index":0,"id":"a",`, "get_patient", "") + call(`"index":0,`, "_records", anArgument) + call(`"index":1,"id":"b",`, bill, anArgument) + finish("tool_calls"))},
		{"name grows", "streamed tokens", first(call(`"index":0,"id":"a",`, "get_patient", "") + call(`"index":0,"id":"a",`, chart, anArgument) + call(`"index":1,"id":"b",`, bill, anArgument) + finish("tool_calls"))},
		{"function null first", "vllm-project/vllm#19425", first(delta(`{"index":0,"id":"a","function":null}`) + call(`"index":0,"id":null,`, chart, anArgument) +
			delta(`{"index":1,"id":"b","function":null}`) + call(`"index":1,"id":null,`, bill, anArgument) + finish("tool_calls"))},
		{"arguments as an object", "ggml-org/llama.cpp#20198", first(whole(`{"index":0,"id":"a","function":{"name":"`+chart+`","arguments":`+anArgument+`}}`, `{"index":1,"id":"b","function":{"name":"`+bill+`","arguments":`+anArgument+`}}`))},
		{"no function around the name", "Cohere", first(whole(`{"id":"a","name":"`+chart+`","arguments":`+anArgument+`}`, `{"id":"b","name":"`+bill+`","arguments":`+anArgument+`}`))},
		{"both calls with the finish reason", "vllm-project/vllm-ascend#8327; Mistral, Groq", first(event(`{"delta":{"content":"","tool_calls":[{"id":"a","function":{"name":"` + chart + `","arguments":` + quoted(anArgument) + `}},{"id":"b","function":{"name":"` + bill + `","arguments":` + quoted(anArgument) + `}}]},"finish_reason":"tool_calls"}`))},
		{"arguments encoded twice", "livekit/agents#5409, vllm-project/vllm#54964", first(object(quoted(anArgument)))},
		{"arguments fenced", "weak models", first(object("```json\n" + anArgument + "\n```"))},
		{"a trailing comma", "weak models", first(object(`{"patient_id":"P-1042",}`))},
		{"legacy function_call", "OpenAI before tool_calls", func(a asked) http.HandlerFunc {
			if a.results() == 2 {
				return usual(a)
			}
			return says(event(`{"delta":{"function_call":{"name":"`+both[a.results()]+`","arguments":""}}}`) + event(`{"delta":{"function_call":{"arguments":`+quoted(anArgument)+`}}}`) + finish("function_call"))
		}},
		{"tool names with a namespace", "gpt-oss, Kimi, Gemini", first(call(`"index":0,"id":"a",`, "functions."+chart+":0", anArgument) + call(`"index":1,"id":"b",`, "default_api:"+bill, anArgument) + finish("tool_calls"))},
		{"tool names with markup", "vLLM with gpt-oss", first(call(`"index":0,"id":"a",`, chart+"<|channel|>commentary", anArgument) + call(`"index":1,"id":"b",`, "`"+bill+"`", anArgument) + finish("tool_calls"))},
		{"tool_calls empty beside text", "jekalmin/extended_openai_conversation#365", second(strings.ReplaceAll(answered, `{"content"`, `{"tool_calls":[],"function_call":null,"refusal":null,"content"`))},
		{"stop, with calls", "googleapis/python-genai#2868, BerriAI/litellm#35663", first(strings.ReplaceAll(bothCalls, "tool_calls\"}", "stop\"}"))},
		{"end_turn and tool_use", "BerriAI/litellm#12481", edited(strings.NewReplacer(`"tool_calls"}`, `"tool_use"}`, `"stop"`, `"end_turn"`).Replace)},
		{"no finish reason but [DONE]", "earendil-works/pi#5793, can1357/oh-my-pi#9433", edited(strings.NewReplacer(finish("tool_calls"), "", finish("stop"), "").Replace)},
		{"no [DONE]", "several proxies", edited(strings.NewReplacer(done, "").Replace)},
		{"choice index counts", "microsoft/foundry-local#144", edited(func(s string) string {
			for n := 1; strings.Contains(s, `{"index":0,"delta"`); n++ {
				s = strings.Replace(s, `{"index":0,"delta"`, fmt.Sprintf(`{"index":%d,"delta"`, n), 1)
			}
			return s
		})},
		{"choices null or absent", "pydantic/pydantic-ai#5170", edited(func(s string) string { return "data: {\"choices\":null}\n\ndata: {\"id\":\"x\"}\n\n" + s })},
		{"content as a list of parts", "symfony/ai#2422, databricks/appkit#559", second(event(`{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm."}]}]}}`) +
			event(`{"delta":{"content":[{"type":"text","text":"Chart and billing were read. "},"Nothing else was done."]}}`) + finish("stop"))},
		{"thoughts in the text", "vllm-project/vllm#45687", second(words("<th") + words("ink>Is that </b> ") + words("all?</thi") + words("nk>\n\n") + answered)},
		{"thoughts in reasoning_content", "langchain-ai/langchain#34166", second(event(`{"delta":{"role":"assistant","content":null,"reasoning_content":"Is that all?"}}`) + answered)},
		{"comments among the events", "openai/openai-go#227", edited(strings.NewReplacer("data: ", ": OPENROUTER PROCESSING\n\ndata: ").Replace)},
		{"no content type", "proxies", func(a asked) http.HandlerFunc {
			return answers(200, "application/octet-stream", script(a))
		}},
		{"not streamed", "many", func(a asked) http.HandlerFunc {
			if a.results() == 0 {
				return answers(200, "application/json", `{"choices":[{"message":{"content":null,"tool_calls":[{"id":"a","function":{"name":"`+chart+`","arguments":`+quoted(anArgument)+`}},{"id":"b","function":{"name":"`+bill+`","arguments":`+anArgument+`}}]}}]}`)
			}
			return answers(200, "text/event-stream", `{"choices":[{"message":{"content":`+quoted(theAnswer)+`},"finish_reason":"stop"}]}`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			worked(t, play(t, &server{answer: tt.answer}))
		})
	}
}

// A tool's name is found among what surrounds it, if it is the only one.
func TestToolNames(t *testing.T) {
	offered := map[string]bool{"get_chart": true, "get_labs": true, "get-x": true}
	for name, want := range map[string]string{
		"get_chart": "get_chart", "functions.get_chart": "get_chart", "default_api:get_labs": "get_labs", "get_chart:0": "get_chart",
		"get_chart<|channel|>json": "get_chart", " get_chart\n": "get_chart", "tools/get-x": "get-x", "get_chart.get_chart": "get_chart",
		"get_chart get_labs": "get_chart get_labs", "my_get_chart": "my_get_chart", "Get_Chart": "Get_Chart", "get_chartx": "get_chartx", "": "",
	} {
		if got := toolName(name, offered); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

// The form of arguments is repaired, never what they say, and never what was cut
// off.
func TestArgumentObjects(t *testing.T) {
	for written, want := range map[string][]string{
		"":                              {"{}"},
		"null":                          {"{}"},
		` {"a":1} `:                     {`{"a":1}`},
		`{"a":1}{"a":2}`:                {`{"a":1}`, `{"a":2}`},
		`"{\"a\":1}"`:                   {`{"a":1}`},
		"```json\n{\"a\":1}\n```":       {`{"a":1}`},
		"```{\"a\":1}```":               {`{"a":1}`},
		`{"a":[1,2,],}`:                 {`{"a":[1,2]}`},
		`{"a":",}"}`:                    {`{"a":",}"}`},
		`{"a":"\",}",}`:                 {`{"a":"\",}"}`},
		`{"a":1`:                        {`{"a":1`},
		`{"a":1}{"b"`:                   {`{"a":1}{"b"`},
		`{"a":1} [2]`:                   {`{"a":1} [2]`},
		`[{"a":1}]`:                     {`[{"a":1}]`},
		`7`:                             {`7`},
		`"P-1042"`:                      {`"P-1042"`},
		`{"a":" P-1042 ","A":"p-1042"}`: {`{"a":" P-1042 ","A":"p-1042"}`},
	} {
		if got := argumentObjects(written); !slices.Equal(got, want) {
			t.Errorf("%s becomes %q, want %q", written, got, want)
		}
	}
}
