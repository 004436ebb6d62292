package llm

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// refuse answers with an error of the usual form.
func refuse(status int, message string) http.HandlerFunc {
	return answers(status, "application/json", `{"error":{"message":`+quoted(message)+`}}`)
}

// Servers refuse parts of a request, or a history that is not exactly as they
// want it. The conversation works all the same.
func TestHistoriesAndRequestsThatServersRefuse(t *testing.T) {
	nine := regexp.MustCompile(`"(?:id|tool_call_id)":"([^"]*)"`)
	wantsNine := func(a asked) http.HandlerFunc {
		for _, m := range nine.FindAllStringSubmatch(a.body, -1) {
			if len(m[1]) != 9 || strings.ContainsFunc(m[1], func(r rune) bool {
				return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", r)
			}) {
				return answers(400, "application/json", `{"object":"error","message":"Tool call id was `+m[1]+` but must be a-z, A-Z, 0-9, with a length of 9."}`)
			}
		}
		return nil
	}
	refusing := func(message string, unwanted ...string) func(asked) http.HandlerFunc {
		return func(a asked) http.HandlerFunc {
			for _, part := range unwanted {
				if strings.Contains(a.body, part) {
					return refuse(400, message)
				}
			}
			return usual(a)
		}
	}
	temperature := float32(0.2)
	tests := []struct {
		name, source string
		answer       func(asked) http.HandlerFunc
		change       func(*Config)
		requests     int
	}{
		{"reasoning_content must come back", "earendil-works/pi#3635, QwenLM/qwen-code#3578", func(a asked) http.HandlerFunc {
			for _, m := range a.Messages {
				if m.Role == "assistant" && m.Reasoning != "The user wants the chart." {
					return refuse(400, "The `reasoning_content` in the thinking mode must be passed back to the API.")
				}
			}
			return says(event(`{"delta":{"reasoning_content":"The user "}}`) + event(`{"delta":{"reasoning_content":"wants the chart."}}`) + script(a))
		}, nil, 2},
		{"thought signatures must come back", "securo-finance/securo#884, langgenius/dify-official-plugins#2088", func(a asked) http.HandlerFunc {
			for i, c := range a.calls() {
				if i == 0 && !strings.Contains(c, `"extra_content":{"google":{"thought_signature":"c2ln"}}`) {
					return answers(400, "application/json", `[{"error":{"code":400,"message":"Function call is missing a thought_signature."}}]`)
				}
			}
			return says(strings.Replace(script(a), `{"index":0,"id":"call_a",`, `{"index":0,"id":"call_a","extra_content":{"google":{"thought_signature":"c2ln"}},`, 1))
		}, nil, 2},
		{"IDs of nine characters", "anomalyco/opencode#1680, ml-explore/mlx-lm#1375", func(a asked) http.HandlerFunc {
			if no := wantsNine(a); no != nil {
				return no
			}
			return says(strings.NewReplacer("call_a", "Un9uQOzX1", "call_b", "Un9uQOzX2").Replace(script(a)))
		}, nil, 2},
		{"IDs of nine characters, and none given", "vllm-project/vllm#18412", func(a asked) http.HandlerFunc {
			if no := wantsNine(a); no != nil {
				return no
			}
			return says(strings.NewReplacer(`"id":"call_a",`, "", `"id":"call_b",`, "").Replace(script(a)))
		}, nil, 2},
		{"IDs longer than 64 bytes must come back", "LiteLLM with signatures in the ID", func(a asked) http.HandlerFunc {
			long := "call_a" + strings.Repeat("x", 300)
			if a.results() > 0 && strings.Count(a.body, quoted(long)) != 2 {
				return refuse(400, "unknown tool call")
			}
			return says(strings.ReplaceAll(script(a), "call_a", long))
		}, nil, 2},
		{"no empty content", "anthropics/claude-code#62396, vercel/ai#5576", func(a asked) http.HandlerFunc {
			for _, m := range a.Messages {
				if m.Content != nil && *m.Content == "" || m.Content == nil && m.ToolCalls == nil {
					return refuse(400, "text content blocks must be non-empty")
				}
			}
			return usual(a)
		}, nil, 2},
		{"each result right after its call", "mistralai/client-ts#106", func(a asked) http.HandlerFunc {
			var open []string
			for _, m := range a.Messages {
				if m.Role == "tool" && (len(open) == 0 || !strings.Contains(open[0], quoted(m.ToolCallID))) {
					return refuse(400, "Not the same number of function calls and responses")
				}
				if m.Role == "tool" {
					open = open[1:]
				}
				for _, c := range m.ToolCalls {
					open = append(open, string(c))
				}
			}
			return usual(a)
		}, nil, 2},
		{"one call in a message", "vllm-project/vllm#11592", func(a asked) http.HandlerFunc {
			last := ""
			for _, m := range a.Messages {
				if len(m.ToolCalls) > 1 {
					return refuse(400, "This model only supports single tool-calls at once!")
				}
				if m.Role == "tool" && !strings.Contains(last, quoted(m.ToolCallID)) {
					return refuse(400, "a result without its call")
				}
				if last = ""; len(m.ToolCalls) == 1 {
					last = string(m.ToolCalls[0])
				}
			}
			return usual(a)
		}, nil, 3},
		{"one call in a message, as a 500", "a real llama-server", func(a asked) http.HandlerFunc {
			for _, m := range a.Messages {
				if len(m.ToolCalls) > 1 {
					return refuse(500, "This model only supports single tool-calls at once! at row 12")
				}
			}
			return usual(a)
		}, nil, 3},
		{"no stream_options", "Azure/azure-sdk-for-js#30751, BerriAI/litellm#3490", refusing("Unrecognized request argument supplied: stream_options", `"stream_options"`), nil, 3},
		{"no stream_options, by FastAPI", "vLLM's 422", func(a asked) http.HandlerFunc {
			if strings.Contains(a.body, `"stream_options"`) {
				return answers(422, "application/json", `{"detail":[{"loc":["body","stream_options"],"msg":"extra fields not permitted"}]}`)
			}
			return usual(a)
		}, nil, 3},
		{"no temperature", "reasoning models of OpenAI", refusing("Unsupported value: 'temperature' does not support 0.2 with this model.", `"temperature"`), func(c *Config) { c.Temperature = &temperature }, 3},
		{"max_completion_tokens", "reasoning models of OpenAI", refusing("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", `"max_tokens"`), func(c *Config) { c.MaxTokens = 500 }, 3},
		{"neither limit on tokens", "strict gateways", refusing("unknown field max_tokens or max_completion_tokens", `"max_tokens"`, `"max_completion_tokens"`), func(c *Config) { c.MaxTokens = 500 }, 4},
		{"nothing that was not asked for", "TheAgenticAI/TheAgenticBrowser#4", refusing("Unknown name", "parallel_tool_calls", "tool_choice", "strict", "temperature", "max_tokens", "max_completion_tokens", "reasoning_effort", "store"), nil, 2},
		{"reasoning that a gateway sends and refuses", "Groq behind a gateway", func(a asked) http.HandlerFunc {
			if strings.Contains(a.body, "reasoning_content") {
				return refuse(400, "property 'reasoning_content' is unsupported")
			}
			return says(event(`{"delta":{"reasoning_content":"Hm."}}`) + script(a))
		}, nil, 3},
		{"a bad call, once", "groq/groq-typescript#28", func(a asked) http.HandlerFunc {
			if a.n == 1 {
				return answers(400, "application/json", `{"error":{"message":"Failed to call a function.","code":"tool_use_failed","failed_generation":"<function="}}`)
			}
			return usual(a)
		}, nil, 3},
		{"a malformed call, once", "Gemini", func(a asked) http.HandlerFunc {
			if a.n == 1 {
				return says(event(`{"delta":{},"finish_reason":"MALFORMED_FUNCTION_CALL"}`))
			}
			return usual(a)
		}, nil, 3},
		{"an empty answer, once", "nugget/thane-ai-agent#167", func(a asked) http.HandlerFunc {
			if a.n == 2 {
				return says(event(`{"delta":{"role":"assistant","content":""}}`) + finish("stop") + done)
			}
			return usual(a)
		}, nil, 3},
		{"gzip", "BerriAI/litellm#12513", func(a asked) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				w.Header().Set("Content-Type", "text/event-stream")
				z := gzip.NewWriter(w)
				io.WriteString(z, script(a))
				z.Close()
			}
		}, func(c *Config) { c.Transport.(*http.Transport).DisableCompression = true }, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			change := tt.change
			if change == nil {
				change = func(*Config) {}
			}
			s := play(t, &server{answer: tt.answer}, change)
			worked(t, s)
			if s.requests != tt.requests {
				t.Errorf("%d requests, want %d", s.requests, tt.requests)
			}
		})
	}
}

// What a model wrote as arguments, and what is no JSON object, goes back as an
// empty object: some servers fail for good on anything else.
func TestBrokenArgumentsGoBackEmpty(t *testing.T) {
	s := play(t, &server{answer: func(a asked) http.HandlerFunc {
		if a.results() == 0 {
			return says(call(`"index":0,"id":"a",`, chart, `{"patient_id":"P-10`) + finish("tool_calls"))
		}
		if calls := a.calls(); len(calls) != 1 || !strings.Contains(calls[0], `"arguments":"{}"`) {
			return refuse(500, "Failed to parse tool call arguments as JSON")
		}
		return says(answered)
	}})
	if s.err != nil || len(s.calls) != 1 || s.calls[0].Arguments != `{"patient_id":"P-10` {
		t.Errorf("%v, calls %+v", s.err, s.calls)
	}
}

// Several objects in the arguments of one call are several calls.
func TestSeveralObjectsInOneCall(t *testing.T) {
	s := play(t, &server{answer: first(call(`"index":0,"id":"a",`, chart, anArgument+` {"patient_id":"P-2187"}`) + finish("tool_calls"))})
	if s.err != nil || len(s.calls) != 2 || s.calls[0].ID != "a" || s.calls[1].Arguments != `{"patient_id":"P-2187"}` || s.calls[1].Name != chart || s.calls[1].ID == "a" {
		t.Errorf("%v, calls %+v", s.err, s.calls)
	}
}

// A reply that failed, or that was cut off in a call, has no tool calls.
func TestNoCallFromAFailedReply(t *testing.T) {
	write := call(`"index":0,"id":"a",`, "write_clinical_notes", `{"patient_id":"P-1042","note":"x"}`)
	cut := call(`"index":0,"id":"a",`, "write_clinical_notes", `{"patient_id":"P-1042","no`)
	for name, tt := range map[string]struct{ stream, says string }{
		"an error after the call":              {write + `data: {"error":{"message":"Upstream idle timeout","code":504}}` + "\n\n", "Upstream idle timeout"},
		"an error after the finish reason":     {write + finish("tool_calls") + `data: {"error":{"message":"Provider disconnected"}}` + "\n\n" + done, "Provider disconnected"},
		"an error beside the choices":          {write + `data: {"choices":[{"delta":{},"finish_reason":"error"}],"error":{"code":502,"message":"Provider disconnected"}}` + "\n\n" + done, "Provider disconnected"},
		"an error event":                       {write + "event: error\ndata: out of memory\n\n" + done, "out of memory"},
		"finished by an error":                 {write + finish("error") + done, `"error"`},
		"finished by an abort":                 {write + finish("abort") + done, `"abort"`},
		"finished by DeepSeek's lack of power": {write + finish("insufficient_system_resource") + done, "insufficient_system_resource"},
		"finished by an unknown word":          {write + finish("whatever") + done, "whatever"},
		"filtered":                             {write + finish("content_filter") + done, "content filter"},
		"cut off":                              {write, "broke off"},
		"cut off in the middle":                {cut, "broke off"},
		"by length":                            {write + finish("length") + done, "in the middle of a tool call"},
		"by length in the middle":              {cut + finish("length") + done, "in the middle of a tool call"},
		"by length in a call written as text":  {words(`<tool_call>{"name":"write_clinical_notes","arguments":{"patient_id":"P-1042"}}`) + finish("length"), "in the middle of a tool call"},
	} {
		s := play(t, &server{answer: func(asked) http.HandlerFunc { return says(tt.stream) }})
		if s.err == nil || len(s.calls) > 0 || !strings.Contains(s.err.Error(), tt.says) {
			t.Errorf("%s: %d calls, error %v", name, len(s.calls), s.err)
		}
	}
}

// Each usage so far, in each chunk, is not added up.
func TestUsageIsCountedOnce(t *testing.T) {
	stream := ""
	for i := range 5 {
		stream += fmt.Sprintf(`data: {"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":900,"completion_tokens":%d}}`+"\n\n", i+1) + `data: {"choices":[{"delta":{}}],"usage":null}` + "\n\n"
	}
	s := play(t, &server{answer: func(asked) http.HandlerFunc { return says(stream + finish("stop")) }})
	if s.err != nil || s.replies[0].Usage != (Usage{900, 5}) {
		t.Errorf("%v, %+v", s.err, s.replies)
	}
}

// What a server has refused once is not sent to it again.
func TestRefusalsAreRemembered(t *testing.T) {
	var bodies []string
	srv := &server{answer: func(a asked) http.HandlerFunc {
		bodies = append(bodies, a.body)
		if strings.Contains(a.body, "stream_options") {
			return refuse(400, "stream_options is not supported")
		}
		return says(answered)
	}}
	m := modelOf(t, configOf(t, srv.ServeHTTP))
	for range 3 {
		if _, err := ask(t, m, hi); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(slices.DeleteFunc(bodies, func(b string) bool { return !strings.Contains(b, "stream_options") })); n != 1 || srv.n != 4 {
		t.Errorf("sent %d times in %d requests", n, srv.n)
	}
}

// Anthropic and Bedrock refuse a history with tool calls if the turn offers no tools,
// as the last one of a run: the tools are defined then, and may not be called.
func TestTheLastTurnBeforeAServerThatWantsTools(t *testing.T) {
	history := []Message{{Role: RoleUser, Content: "Show records"},
		{Role: RoleAssistant, ToolCalls: []ToolCall{{ID: "abcdefghi", Name: "get_patient_records", Arguments: `{"patient_id":"P-1042"}`}}},
		{Role: RoleTool, ToolCallID: "abcdefghi", Content: `{"name":"Maria"}`}}
	for _, tt := range []struct {
		says  string
		tries int
	}{
		{"Requests which include `tool_use` or `tool_result` blocks must define tools", 2},
		{"litellm.UnsupportedParamsError: Anthropic expects the `tools=` param to be passed for tool-calling responses", 2},
		{"The toolConfig field must be defined when using toolUse and toolResult content blocks.", 2},
		{"tools is required", 2},
		{"messages: roles must alternate", 1},
	} {
		for api, stream := range map[API]string{APIChat: answered, APIResponses: responseAnswer} {
			var bodies []string
			srv := &server{answer: func(a asked) http.HandlerFunc {
				bodies = append(bodies, a.body)
				if !strings.Contains(a.body, `"tools":`) {
					return refuse(400, tt.says)
				}
				return says(stream)
			}}
			cfg := configOf(t, srv.ServeHTTP)
			cfg.API = api
			_, err := modelOf(t, cfg).Complete(t.Context(), Request{Messages: history}, func(string) {})
			if last := bodies[len(bodies)-1]; len(bodies) != tt.tries || (err == nil) != (tt.tries == 2) ||
				tt.tries == 2 && (!strings.Contains(last, `"tool_choice":"none"`) || !strings.Contains(last, `"name":"get_patient_records"`)) {
				t.Errorf("%s, %s: error %v after %d requests, the last: %s", api, tt.says, err, len(bodies), last)
			}
		}
	}
}

// Message fields and calls keep what the server wants back across recordings
// and JSON.
func TestExtrasSurviveJSON(t *testing.T) {
	r := Reply{Content: "x", Extra: Extra{Fields: map[string]json.RawMessage{"reasoning": json.RawMessage(`"y"`)}}}
	b, err := json.Marshal(r)
	var again Reply
	if err != nil || json.Unmarshal(b, &again) != nil || string(again.Message().Extra.Fields["reasoning"]) != `"y"` {
		t.Errorf("%s, %v", b, err)
	}
}
