package agents_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// maxPrompt bounds, in bytes, what every first turn sends before the request:
// the system prompt and the tools. 4,300 bytes are about 1,050 tokens (measured
// with cl100k_base and o200k_base); with the request it stays below 1,200.
const maxPrompt = 4300

// The first turn is short, and the same for all patients up to the last line of
// the system prompt.
func TestTheFirstTurnIsShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{})
	systems := map[string]string{}
	for _, id := range []string{"P-1042", "P-2187"} {
		heard := newListener()
		w.withModel(t, heard).encounter(t, id, "hello")
		var first struct {
			Messages []struct{ Role, Content string }
			Tools    []struct{ Name, Description, Parameters json.RawMessage }
		}
		if err := json.NewDecoder(strings.NewReader(heard.heard())).Decode(&first); err != nil {
			t.Fatal(err)
		}
		systems[id] = first.Messages[0].Content
		if first.Messages[0].Role != "system" || len(first.Tools) != len(agents.Offer()) {
			t.Errorf("the first turn is %+v", first)
		}
	}
	a, b := systems["P-1042"], systems["P-2187"]
	if !strings.HasSuffix(a, "Patient ID: P-1042.") || strings.TrimSuffix(a, "P-1042.") != strings.TrimSuffix(b, "P-2187.") {
		t.Errorf("the patient is not at the end of %q", a)
	}
	size := len(a)
	for _, tool := range agents.Offer() {
		spec, err := json.Marshal(map[string]any{"type": "function", "function": map[string]any{
			"name": tool.Name, "description": tool.Description, "parameters": tool.Parameters}})
		if err != nil {
			t.Fatal(err)
		}
		size += len(spec)
	}
	if size > maxPrompt {
		t.Errorf("prompt and tools have %d bytes, want at most %d", size, maxPrompt)
	}
	t.Logf("%d bytes", size)
}
