package agents_test

import (
	"context"
	"testing"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/trace"
)

// gatedLog calls before for each run that is created.
type gatedLog struct {
	trace.Log
	before func(runID string)
}

func (l *gatedLog) Create(ctx context.Context, run trace.Run) error {
	l.before(run.ID)
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.Log.Create(ctx, run)
}

// A reset may come while a run starts. The run then has a trace, which says that it
// was cancelled.
func TestCancelledWhileStarting(t *testing.T) {
	t.Parallel()
	log := &gatedLog{}
	w := newWorld(t, brokertest.Start, worldConfig{}).with(t, func(c *agents.Config) {
		log.Log = c.Log
		c.Log = log
	})
	log.before = func(runID string) { must(t, w.Cancel(runID, "operator", "The operator reset the demo.")) }
	id := w.start(t, "P-1042", "Show records", "instant")
	h := w.finish(t, id)
	if c := h.Run.Summary; c.Outcome != trace.OutcomeCancelled || c.Tokens != 0 || len(all[trace.Cancelled](h)) != 1 {
		t.Errorf("summary = %+v:\n%s", *c, h)
	}
}
