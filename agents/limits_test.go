package agents_test

import (
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/trace"
)

// A run whose trace reaches its limit ends, reports the limit, and releases its tokens.
func TestTraceLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{})
	for name, limit := range map[string]func(*agents.Limits){
		"steps": func(l *agents.Limits) { l.TraceSteps = 8 },
		"bytes": func(l *agents.Limits) { l.TraceBytes = 4 << 10 },
	} {
		w := w.with(t, func(c *agents.Config) { limit(&c.Limits) })
		h := w.encounter(t, "P-1042", fullRequest)
		if e := only[trace.RunError](t, h); e.Stage != "limit" || !strings.Contains(e.Message, "trace") {
			t.Errorf("%s: %+v", name, e)
		}
		if len(all[trace.ToolCall](h)) > 2 || h.Run.Outcome != trace.OutcomeFailed {
			t.Errorf("%s: the run went on:\n%s", name, h)
		}
		w.assertEnded(t, h, len(all[trace.AgentCreated](h)))
	}
}
