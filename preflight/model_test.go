package preflight_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/preflight"
)

// asked is the part of a request that a scripted model looks at.
type asked struct {
	Messages []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"messages"`
	Tools []any `json:"tools"`
}

func (a asked) last() string { return a.Messages[len(a.Messages)-1].Role }

// scripted is a model whose server answers like this.
func scripted(t *testing.T, answer func(w http.ResponseWriter, a asked)) llm.Model {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var a asked
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		answer(w, a)
	}))
	own := &http.Transport{}
	t.Cleanup(func() { own.CloseIdleConnections(); srv.Close() })
	m, err := llm.NewOpenAI(llm.Config{BaseURL: srv.URL + "/v1", Model: "scripted", Transport: own})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// say streams words, each in a piece of its own, and the tokens of the prompt.
func say(w http.ResponseWriter, tokens int, pause time.Duration, words ...string) {
	for _, word := range words {
		fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":%q}}]}\n\n", word)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		time.Sleep(pause)
	}
	fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":%d}}\n\n", tokens)
}

func callLabs(w http.ResponseWriter, tokens int) {
	fmt.Fprintf(w, `data: {"choices":[{"delta":{"tool_calls":[{"id":"call00001","function":{"name":"get_lab_results","arguments":"{\"patient_id\":\"P-1042\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":%d}}`+"\n\n", tokens)
}

// The checks of the model run a tool call with both turns, and tell what is wrong
// with its server.
func TestModelChecks(t *testing.T) {
	const call, streaming, small = "model: a tool call", "model: streaming", "model: context"
	good := func(w http.ResponseWriter, a asked) {
		if a.last() == "user" {
			callLabs(w, 1200)
			return
		}
		say(w, 5200, 0, "The ", "potassium ", "is fine.")
	}
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter, a asked)
		want   map[string]preflight.State
		says   string
	}{
		"good": {good, nil, "a prompt of 5200 tokens fits"},
		"it needs two results": {func(w http.ResponseWriter, a asked) {
			if a.last() == "user" || len(a.Tools) > 0 {
				callLabs(w, 1200)
				return
			}
			say(w, 5200, 0, "Fine, ", "all of it.")
		}, nil, "2 pieces"},
		"the tools are dropped": {func(w http.ResponseWriter, _ asked) { say(w, 61, 0, "Potassium ", "is 4.1.") },
			map[string]preflight.State{call: "failed", streaming: "skipped", small: "skipped"}, "--jinja"},
		"it calls nothing": {func(w http.ResponseWriter, _ asked) { say(w, 1200, 0, "Potassium ", "is 4.1.") },
			map[string]preflight.State{call: "failed", streaming: "skipped", small: "skipped"}, "without calling a tool"},
		"calls as text": {func(w http.ResponseWriter, a asked) {
			if a.last() == "user" {
				say(w, 1200, 0, `<tool_call>{"name":"get_lab_results","arguments":{"patient_id":"P-1042"}}</tool_call>`)
				return
			}
			good(w, a)
		}, map[string]preflight.State{call: "warning"}, "--tool-call-parser"},
		"an invalid call": {func(w http.ResponseWriter, a asked) {
			fmt.Fprint(w, `data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"get_lab_results","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}`+"\n\n")
		}, map[string]preflight.State{call: "warning", streaming: "skipped", small: "skipped"}, "patient_id is missing"},
		"one piece": {func(w http.ResponseWriter, a asked) {
			if a.last() == "user" {
				callLabs(w, 1200)
				return
			}
			say(w, 5200, 0, "The potassium is fine.")
		}, map[string]preflight.State{streaming: "warning"}, "proxy_buffering"},
		"all pieces at the end": {func(w http.ResponseWriter, a asked) {
			if a.last() != "user" {
				time.Sleep(1100 * time.Millisecond)
			}
			good(w, a)
		}, map[string]preflight.State{streaming: "warning"}, "arrived at once"},
		"a context that is cut": {func(w http.ResponseWriter, a asked) {
			if a.last() == "user" {
				callLabs(w, 1200)
				return
			}
			say(w, 2048, 0, "I ", "see no results.")
		}, map[string]preflight.State{small: "warning"}, "OLLAMA_CONTEXT_LENGTH"},
		"a context that is refused": {func(w http.ResponseWriter, a asked) {
			if a.last() == "user" {
				callLabs(w, 1200)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":{"message":"request (4390 tokens) exceeds the available context size (4096 tokens)"}}`)
		}, map[string]preflight.State{streaming: "failed", small: "skipped"}, "--max-model-len"},
		"no count of tokens": {func(w http.ResponseWriter, a asked) {
			if a.last() == "user" {
				callLabs(w, 0)
				return
			}
			say(w, 0, 0, "The ", "potassium ", "is fine.")
		}, map[string]preflight.State{small: "skipped"}, "does not count tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, _ := healthy(t)
			cfg.Model = scripted(t, tt.answer)
			results := run(t.Context(), cfg)
			said := ""
			for _, check := range []string{call, streaming, small} {
				r, want := results[check], tt.want[check]
				if want == "" {
					want = preflight.OK
				}
				if r.State != want || (r.State == preflight.Failed || r.State == preflight.Warning) && r.Do == "" {
					t.Errorf("%s: %s (%s → %s), want %s", check, r.State, r.Found, r.Do, want)
				}
				said += r.Found + "\n" + r.Do + "\n"
			}
			if !strings.Contains(said, tt.says) {
				t.Errorf("want %q in:\n%s", tt.says, said)
			}
		})
	}
}
