package agents_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/trace"
)

// listener is the planner, and a record of all that it was told.
type listener struct {
	llm.Model
	mu   sync.Mutex
	said strings.Builder
}

func newListener() *listener { return &listener{Model: llm.NewPlanner()} }

func (l *listener) Complete(ctx context.Context, req llm.Request, onText func(string)) (llm.Reply, error) {
	b, err := json.Marshal(req)
	if err != nil {
		return llm.Reply{}, err
	}
	l.mu.Lock()
	l.said.Write(b)
	l.mu.Unlock()
	return l.Model.Complete(ctx, req, onText)
}

func (l *listener) heard() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said.String()
}

// turn is one answer of an OpenAI-compatible server.
type turn func(w http.ResponseWriter, r *http.Request)

// scripted is a model on a server that gives these answers, the last one again
// and again.
func scripted(t testing.TB, turns ...turn) llm.Model {
	t.Helper()
	var mu sync.Mutex
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		answer := turns[min(n, len(turns)-1)]
		n++
		mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	m, err := llm.NewOpenAI(llm.Config{BaseURL: srv.URL + "/v1", Model: "scripted", Transport: ownTransport(t)})
	must(t, err)
	return m
}

func chunk(w http.ResponseWriter, delta, finish string) {
	if finish != "" {
		finish = fmt.Sprintf(`,"finish_reason":%q`, finish)
	}
	fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":%s%s}]}\n\n", delta, finish)
	http.NewResponseController(w).Flush()
}

func begin(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/event-stream") }

// say answers with text.
func say(text string) turn {
	return func(w http.ResponseWriter, _ *http.Request) {
		begin(w)
		chunk(w, fmt.Sprintf(`{"content":%q}`, text), "")
		chunk(w, `{}`, "stop")
		fmt.Fprint(w, "data: [DONE]\n\n")
	}
}

// want asks for a tool.
func want(name, args string) turn { return wantMany(1, name, args) }

func wantMany(n int, name, args string) turn {
	return func(w http.ResponseWriter, _ *http.Request) {
		begin(w)
		for i := range n {
			chunk(w, fmt.Sprintf(`{"tool_calls":[{"index":%d,"id":"c%d","type":"function","function":{"name":%q,"arguments":%q}}]}`, i, i, name, args), "")
		}
		chunk(w, `{}`, "tool_calls")
		fmt.Fprint(w, "data: [DONE]\n\n")
	}
}

var wantRecords = want("get_patient_records", `{"patient_id":"P-1042"}`)

func body(status int, contentType, text string) turn {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}
}

func hangs(_ http.ResponseWriter, r *http.Request) { hung(nil, r) }

func saysAndHangs(w http.ResponseWriter, r *http.Request) {
	begin(w)
	chunk(w, `{"content":"Let me "}`, "")
	hung(nil, r)
}

func breaksOff(w http.ResponseWriter, _ *http.Request) {
	begin(w)
	chunk(w, `{"content":"Let me "}`, "")
}

func dies(w http.ResponseWriter, _ *http.Request) {
	breaksOff(w, nil)
	panic(http.ErrAbortHandler)
}

func babbles(w http.ResponseWriter, r *http.Request) {
	begin(w)
	for r.Context().Err() == nil {
		chunk(w, `{"content":"`+strings.Repeat("and so on ", 400)+`"}`, "")
	}
}

// A model may fail in any way, at once or when tokens have been issued: the run
// ends within its limits, says why, and its tokens are revoked.
func TestModelFails(t *testing.T) {
	t.Parallel()
	failures := []struct {
		name  string
		turn  turn
		stage string
	}{
		{"500", body(500, "application/json", `{"error":{"message":"out of memory"}}`), "model"},
		{"401", body(401, "application/json", `{"error":{"message":"bad key"}}`), "model"},
		{"garbage", body(200, "text/html", "<html>It works!</html>"), "model"},
		{"garbage in a stream", body(200, "text/event-stream", "data: {{{{\n\n"), "model"},
		{"no choices", body(200, "text/event-stream", "data: {\"choices\":[]}\n\ndata: [DONE]\n\n"), "model"},
		{"no choices, not streamed", body(200, "application/json", `{"choices":[]}`), "model"},
		{"nothing at all", body(200, "text/event-stream", ""), "model"},
		{"half a stream, closed", breaksOff, "model"},
		{"half a stream, cut", dies, "model"},
		{"silence", hangs, "model"},
		{"a few words, then silence", saysAndHangs, "model"},
		{"words without end", babbles, "model"},
		{"a thousand tool calls", wantMany(1000, "get_patient_records", `{"patient_id":"P-1042"}`), "model"},
		{"more tool calls than a turn may have", wantMany(30, "get_patient_records", `{"patient_id":"P-1042"}`), "limit"},
	}
	base := newWorld(t, brokertest.Start, worldConfig{})
	for _, tt := range failures {
		for when, turns := range map[string][]turn{"at once": {tt.turn}, "after a call": {wantRecords, tt.turn}} {
			t.Run(tt.name+" "+when, func(t *testing.T) {
				t.Parallel()
				w := base.with(t, func(c *agents.Config) {
					if c.Model = scripted(t, turns...); strings.Contains(tt.name, "silence") || strings.HasSuffix(tt.name, "end") {
						c.Limits.ModelCall = time.Second
					}
				})
				h := w.encounter(t, "P-1042", "Show records")
				e := only[trace.RunError](t, h)
				if h.Run.Outcome != trace.OutcomeFailed || e.Stage != tt.stage || e.Message == "" {
					t.Errorf("%s, %+v:\n%s", h.Run.Outcome, e, h)
				}
				if tt.name == "500" && !strings.Contains(e.Message, "out of memory") {
					t.Errorf("the server's reason is not shown: %s", e.Message)
				}
				w.assertEnded(t, h, len(turns)-1)
			})
		}
	}
}

func TestModelNeverStops(t *testing.T) {
	t.Parallel()
	base := newWorld(t, brokertest.Start, worldConfig{})
	t.Run("turns", func(t *testing.T) {
		w := base.withModel(t, scripted(t, wantRecords))
		h := w.encounter(t, "P-1042", "Show records")
		if e := only[trace.RunError](t, h); e.Stage != "limit" || len(all[trace.LLMStart](h)) != 10 || h.Run.Summary.Allowed != 1 {
			t.Errorf("after %d turns and %d calls: %+v", len(all[trace.LLMStart](h)), h.Run.Summary.Allowed, e)
		}
		w.assertEnded(t, h, 1)
	})
	t.Run("calls", func(t *testing.T) {
		w := base.withModel(t, scripted(t, wantMany(20, "get_patient_records", `{"patient_id":"P-1042"}`)))
		h := w.encounter(t, "P-1042", "Show records")
		if e := only[trace.RunError](t, h); e.Stage != "limit" || h.Run.Summary.Allowed != 1 || len(all[trace.LLMStart](h)) != 4 {
			t.Errorf("after %d calls: %+v", h.Run.Summary.Allowed, e)
		}
		w.assertEnded(t, h, 1)
	})
	t.Run("time", func(t *testing.T) {
		w := base.with(t, func(c *agents.Config) {
			c.Model, c.Limits.Run = scripted(t, wantRecords, hangs), 300*time.Millisecond
		})
		h := w.encounter(t, "P-1042", "Show records")
		if e := only[trace.RunError](t, h); e.Stage != "limit" {
			t.Errorf("%+v", e)
		}
		w.assertEnded(t, h, 1)
	})
}

// What a model writes as a call is parsed once, and what can't be understood is
// neither gated nor made.
func TestInvalidCall(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, tool, args string }{
		{"two patients", "get_patient_records", `{"patient_id":["P-1042","P-2187"]}`},
		{"patient twice", "get_patient_records", `{"patient_id":"P-1042","patient_id":"P-2187","x":1}`},
		{"no patient", "get_patient_records", `{}`},
		{"null", "get_patient_records", `{"patient_id":null}`},
		{"a number", "get_patient_records", `{"patient_id":1042}`},
		{"everyone", "get_patient_records", `{"patient_id":"*"}`},
		{"a scope", "get_patient_records", `{"patient_id":"P-1042:x"}`},
		{"a path", "get_patient_records", `{"patient_id":"../P-2187"}`},
		{"an escaped path", "get_patient_records", `{"patient_id":"P-1042%2f..%2fP-2187"}`},
		{"broken JSON", "get_patient_records", `{"patient_id":`},
		{"an array", "get_patient_records", `["P-1042"]`},
		{"an unknown tool", "drop_tables", `{"patient_id":"P-1042"}`},
		{"another spelling", "Get_Patient_Records", `{"patient_id":"P-1042"}`},
		{"a megabyte", "write_clinical_notes", `{"patient_id":"P-1042","note":"` + strings.Repeat("x", 60_000) + `"}`},
	}
	base := newWorld(t, brokertest.Start, worldConfig{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := base.withModel(t, scripted(t, want(tt.tool, tt.args), say("Sorry.")))
			h := w.encounter(t, "P-1042", "Do it")
			e := only[trace.ToolError](t, h)
			if e.Tool != tt.tool || e.Reason == "" || len(e.Args) > 2100 {
				t.Errorf("error = %+v", e)
			}
			if h.Run.Outcome != trace.OutcomeAnswered || h.Run.Summary.Errors != 1 {
				t.Errorf("the run did not go on:\n%s", h)
			}
			w.assertEnded(t, h, 0)
		})
	}
}

// Arguments that the tool does not have grant nothing: the call is decided like
// any other, and they are shown.
func TestUnknownArgumentsAreIgnoredAndShown(t *testing.T) {
	onEach(t, testUnknownArgumentsAreIgnoredAndShown)
}

func testUnknownArgumentsAreIgnoredAndShown(t *testing.T, kind brokertest.Starter) {
	w := newWorld(t, kind, worldConfig{}).withModel(t, scripted(t, want("get_patient_records", `{"patient_id":" P-1042 ","scope":"*"}`),
		want("get_patient_records", `{"patient_id":"P-2187","scope":"*"}`), want("write_prescription", `{"patient_id":"P-2187"}`),
		want("write_prescription", `{"patient_id":"P-1042","drug":"Lisinopril"}`), say("Done.")))
	h := w.encounter(t, "P-1042", "Do it")
	if c := only[trace.ToolCall](t, h); c.PatientID != "P-1042" || !slices.Equal(c.IgnoredArgs, []string{"scope"}) {
		t.Errorf("call = %+v", c)
	}
	if d := all[trace.ScopeDenied](h); len(d) != 1 || d[0].PatientID != "P-2187" || !slices.Equal(d[0].IgnoredArgs, []string{"scope"}) {
		t.Errorf("denied = %+v", d)
	}
	if d := only[trace.DelegationDenied](t, h); d.PatientID != "P-2187" {
		t.Errorf("denied = %+v", d)
	}
	if e := only[trace.ToolError](t, h); !strings.Contains(e.Reason, "dose is required") || strings.Contains(e.Reason, "not known") {
		t.Errorf("error = %+v", e)
	}
}

// The IDs that a model gives its calls need not be its own, nor be there.
func TestCallIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).withModel(t, scripted(t, wantRecords, wantRecords, wantMany(3, "get_lab_results", `{"patient_id":"P-1042"}`), say("Done.")))
	h := w.encounter(t, "P-1042", "Show records")
	seen := map[string]bool{}
	for _, r := range all[trace.LLMResponse](h) {
		for _, c := range r.ToolCalls {
			if c.CallID == "" || seen[c.CallID] {
				t.Errorf("call ID %q of %s is not unique", c.CallID, c.Tool)
			}
			seen[c.CallID] = true
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d calls:\n%s", len(seen), h)
	}
}

func TestAnswerStreams(t *testing.T) {
	t.Parallel()
	more := make(chan struct{})
	w := newWorld(t, brokertest.Start, worldConfig{}).withModel(t, scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		begin(w)
		chunk(w, `{"content":"First "}`, "")
		<-more
		chunk(w, `{"content":"last."}`, "stop")
		fmt.Fprint(w, "data: [DONE]\n\n")
	}))
	id := w.start(t, "P-1042", "Hello", "")
	w.until(t, id, is[trace.LLMDelta]())
	close(more)
	h := w.finish(t, id)
	var text string
	for _, d := range all[trace.LLMDelta](h) {
		text += d.Text
	}
	if text != "First last." || h.answer() != text {
		t.Errorf("streamed %q, answered %q", text, h.answer())
	}
	if last := h.Events[len(h.Events)-2]; last.Step.Type() != trace.TypeLLMResponse {
		t.Errorf("words came after the reply:\n%s", h)
	}
}

func TestTruncatedAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).withModel(t, scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		begin(w)
		chunk(w, `{"content":"The first of many"}`, "length")
		fmt.Fprint(w, "data: [DONE]\n\n")
	}))
	h := w.encounter(t, "P-1042", "Tell me everything")
	if e := h.Events[len(h.Events)-2]; e.Status != trace.StatusWarning || !strings.Contains(e.Label, "length") {
		t.Errorf("reply = %+v", e)
	}
}
