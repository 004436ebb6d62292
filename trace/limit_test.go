package trace_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/trace"
)

// However much a model or a server returns, an event stays within its limit and
// remains a valid event; the caller's step is not changed.
func TestEventsAreShortened(t *testing.T) {
	huge := strings.Repeat("é<\x00", 1<<15)
	many := make([]trace.LLMCall, 300)
	scopes := make([]string, 300)
	for i := range many {
		many[i].Args = huge[:2000]
		scopes[i] = huge[:3000]
	}
	output, err := json.Marshal(huge)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, "")
	create(t, s, "run-1", noon)
	for _, step := range []trace.Step{
		trace.LLMResponse{Content: huge}, trace.LLMResponse{ToolCalls: many}, trace.LLMDelta{Text: huge},
		trace.ToolCall{Credential: clinical, Args: output, Output: output}, trace.ScopeDenied{HeldScope: scopes, Reason: huge},
		trace.RunError{Stage: "model", Message: huge, Hint: huge}, trace.TokenValidated{Chain: []trace.Hop{{Scope: scopes, Agent: huge}}},
	} {
		e, err := s.Append(t.Context(), "run-1", trace.Event{Time: noon, Label: huge, Spans: make([]trace.Span, 300), Step: step})
		if err != nil {
			t.Fatalf("%s: %v", step.Type(), err)
		}
		b, err := e.JSON()
		if err != nil || len(b) > 256<<10 {
			t.Errorf("%s: %d bytes, %v", step.Type(), len(b), err)
		}
		var read trace.Event
		if err := json.Unmarshal(b, &read); err != nil || read.Step.Type() != step.Type() {
			t.Errorf("%s can't be read: %v", step.Type(), err)
		}
	}
	if len(many) != 300 || many[0].Args != huge[:2000] || scopes[299] != huge[:3000] {
		t.Error("the caller's step was changed")
	}
	small := trace.ToolCall{Credential: clinical, Output: json.RawMessage(`{"a":1}`), HeldScope: scopes[:1]}
	if e := add(t, s, "run-1", small); string(e.Step.(trace.ToolCall).Output) != `{"a":1}` || len(e.Step.(trace.ToolCall).HeldScope[0]) != 3000 {
		t.Errorf("a small event was shortened: %+v", e.Step)
	}
}
