package llm

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

func inBubble(t *testing.T, f func(*testing.T)) { synctest.Test(t, f) }

// Parts of a Responses API stream.
const (
	reasoningItem = `{"type":"reasoning","id":"rs_1","encrypted_content":"b3BhcXVl","summary":[]}`
	callItemA     = `{"type":"function_call","id":"fc_1","call_id":"call_a","name":"get_patient_records","arguments":"{\"patient_id\":\"P-1042\"}","status":"completed"}`
	callItemB     = `{"type":"function_call","id":"fc_2","call_id":"call_b","name":"get_billing_history","arguments":"{\"patient_id\":\"P-1042\"}","status":"completed"}`
)

func responseEvents(events ...string) string {
	var b strings.Builder
	for _, e := range events {
		var named struct {
			Type string `json:"type"`
		}
		_ = json.Unmarshal([]byte(e), &named)
		b.WriteString("event: " + named.Type + "\ndata: " + e + "\n\n")
	}
	return b.String()
}

func itemDone(item string) string { return `{"type":"response.output_item.done","item":` + item + `}` }

func responseEnd(status, more string) string {
	return `{"type":"response.` + status + `","response":{"status":"` + status + `"` + more + `,"usage":{"input_tokens":900,"output_tokens":40},"error":null}}`
}

var responseAnswer = responseEvents(`{"type":"response.created","response":{"status":"in_progress","error":null}}`,
	`{"type":"response.output_text.delta","delta":"Chart and billing "}`, `{"type":"response.output_text.delta","delta":"were read. Nothing else was done."}`,
	itemDone(`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"`+theAnswer+`"}]}`), responseEnd("completed", ""))

// responsesServer speaks the Responses API and holds the client to it.
func responsesServer(t *testing.T, first string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Input []map[string]any `json:"input"`
			Tools []map[string]any `json:"tools"`
			Store *bool            `json:"store"`
		}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.URL.Path != "/v1/responses" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		if req.Store == nil || *req.Store {
			t.Error("the server is asked to store the conversation")
		}
		if len(req.Tools) != 9 || req.Tools[0]["name"] == nil || req.Tools[0]["strict"] != false {
			t.Errorf("tools %v", req.Tools)
		}
		var kinds []string
		for _, item := range req.Input {
			kind, _ := item["type"].(string)
			if kind == "" {
				kind, _ = item["role"].(string)
			}
			kinds = append(kinds, kind)
		}
		switch got := strings.Join(kinds, " "); got {
		case "system user":
			says(first)(w, r)
		case "system user reasoning function_call function_call function_call_output function_call_output":
			if req.Input[2]["encrypted_content"] != "b3BhcXVl" || req.Input[3]["id"] != "fc_1" || req.Input[5]["call_id"] != "call_a" || req.Input[6]["call_id"] != "call_b" {
				t.Errorf("input %v", req.Input)
			}
			says(responseAnswer)(w, r)
		default:
			t.Errorf("input is %s", got)
			refuse(400, "bad input")(w, r)
		}
	}
}

// The Responses API is reached through the same interface: streaming, tool calls,
// reasoning that goes back.
func TestResponsesAPI(t *testing.T) {
	streamed := responseEvents(`{"type":"response.reasoning_summary_text.delta","delta":"Hm."}`, itemDone(reasoningItem),
		`{"type":"response.output_item.added","item":{"type":"function_call","call_id":"call_a"}}`, `{"type":"response.function_call_arguments.delta","delta":"{\"pat"}`,
		itemDone(callItemA), itemDone(callItemB), responseEnd("completed", ""))
	atTheEnd := responseEvents(responseEnd("completed", `,"output":[`+reasoningItem+`,`+callItemA+`,`+callItemB+`]`))
	whole := `{"object":"response","status":"completed","error":null,"output":[` + reasoningItem + `,` + callItemA + `,` + callItemB + `],"usage":{"input_tokens":900,"output_tokens":40}}`
	for name, first := range map[string]string{"streamed": streamed, "items at the end": atTheEnd, "with [DONE]": streamed + done, "not streamed": whole} {
		s := playAt(t, responsesServer(t, first), func(c *Config) { c.API = APIResponses })
		worked(t, s)
		if s.err == nil && s.replies[0].Usage != (Usage{900, 40}) {
			t.Errorf("%s: usage %+v", name, s.replies[0].Usage)
		}
	}
}

// Failures of the Responses API have no calls, and say why.
func TestResponsesThatFail(t *testing.T) {
	for name, tt := range map[string]struct{ stream, says string }{
		"failed":             {itemDone(callItemA) + "|" + responseEnd("failed", `,"x":1`), `"failed"`},
		"failed with reason": {itemDone(callItemA) + `|{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"no disk"}}}`, "no disk"},
		"an error event":     {itemDone(callItemA) + `|{"type":"error","code":"server_error","message":"no disk","param":null}`, "no disk"},
		"incomplete":         {itemDone(callItemA) + "|" + responseEnd("incomplete", `,"incomplete_details":{"reason":"max_output_tokens"}`), "in the middle of a tool call"},
		"filtered":           {itemDone(callItemA) + "|" + responseEnd("incomplete", `,"incomplete_details":{"reason":"content_filter"}`), "content filter"},
		"cut off":            {itemDone(callItemA), "broke off"},
	} {
		s := playAt(t, says(responseEvents(strings.Split(tt.stream, "|")...)), func(c *Config) { c.API = APIResponses })
		if s.err == nil || len(s.calls) > 0 || !strings.Contains(s.err.Error(), tt.says) {
			t.Errorf("%s: %d calls, %v", name, len(s.calls), s.err)
		}
	}
	s := playAt(t, says(responseEvents(`{"type":"response.output_text.delta","delta":"Chart and"}`, responseEnd("incomplete", `,"incomplete_details":{"reason":"max_output_tokens"}`))), func(c *Config) { c.API = APIResponses })
	if s.err != nil || s.replies[0].FinishReason != "length" {
		t.Errorf("a text that was cut off: %v, %+v", s.err, s.replies)
	}
}

// Which API is used, with LLM_API and without.
func TestWhichAPI(t *testing.T) {
	chatOnly := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/chat/completions" {
			http.NotFound(w, r)
			return
		}
		says(answered)(w, r)
	}
	wantsResponses := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/responses" {
			says(responseAnswer)(w, r)
			return
		}
		refuse(400, "Function tools with reasoning_effort are not supported for this model in /v1/chat/completions. Please use /v1/responses instead.")(w, r)
	}
	for name, tt := range map[string]struct {
		server http.HandlerFunc
		model  string
		api    API
		path   string // added to the base URL
		fails  string
	}{
		"auto":                         {chatOnly, "m", "", "", ""},
		"chat":                         {chatOnly, "m", APIChat, "", ""},
		"auto, and the server wants":   {wantsResponses, "m", APIAuto, "", ""},
		"a model that needs it":        {wantsResponses, "gpt-6-astra", APIAuto, "", ""},
		"named by the URL":             {wantsResponses, "m", APIChat, "/responses", ""},
		"chat, and the server wants":   {wantsResponses, "m", APIChat, "", "use /v1/responses"},
		"chat, of a model that can't":  {wantsResponses, "gpt-6-astra", APIChat, "", "LLM_API=responses"},
		"responses, and there is none": {chatOnly, "m", APIResponses, "", "404"},
	} {
		s := playAt(t, tt.server, func(c *Config) { c.API, c.Model, c.BaseURL = tt.api, tt.model, c.BaseURL+tt.path })
		if (s.err == nil) != (tt.fails == "") || s.err != nil && !strings.Contains(s.err.Error(), tt.fails) {
			t.Errorf("%s: %v", name, s.err)
		}
		if s.err == nil && s.answer() != theAnswer {
			t.Errorf("%s: %q", name, s.answer())
		}
	}
	// Without reasoning, these models call tools over chat completions.
	for model, effort := range map[string]any{"gpt-6-sol": "none", "gpt-5-mini": nil} {
		var sent map[string]any
		playAt(t, func(w http.ResponseWriter, r *http.Request) {
			if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
				t.Error(err)
			}
			says(answered)(w, r)
		}, func(c *Config) { c.API, c.Model = APIChat, model })
		if sent["reasoning_effort"] != effort {
			t.Errorf("%s: effort %v, want %v", model, sent["reasoning_effort"], effort)
		}
	}
}
