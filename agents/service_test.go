package agents_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/trace"
)

func TestCancelAtStep(t *testing.T) { onEach(t, testCancelAtStep) }

func testCancelAtStep(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	tests := []struct {
		before string // where it waits when it is cancelled
		tokens int
	}{
		{"create the clinical agent", 0},
		{"validate the clinical token", 1},
		{"call get_patient_records for P-1042", 1},
		{"create the billing agent", 1},
		{"delegate write:prescriptions:P-1042", 3},
		{"validate the delegated prescription token", 4},
		{"call write_prescription for P-1042", 4},
	}
	w := newWorld(t, kind, worldConfig{})
	for _, tt := range tests {
		t.Run(tt.before, func(t *testing.T) {
			t.Parallel()
			id := w.start(t, "P-1042", fullRequest, "step")
			w.stepTo(t, id, tt.before)
			must(t, w.Cancel(id, "presenter", "Enough."))
			h := w.finish(t, id) // waits for nobody any more
			if c := only[trace.Cancelled](t, h); c.By != "presenter" || c.Reason != "Enough." || h.Run.Outcome != trace.OutcomeCancelled {
				t.Errorf("%s: %+v", h.Run.Outcome, c)
			}
			w.assertEnded(t, h, tt.tokens)
		})
	}
}

func TestCancelDuringModelCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).withModel(t, scripted(t, wantRecords, saysAndHangs))
	id := w.start(t, "P-1042", "Show records", "")
	w.until(t, id, is[trace.LLMDelta]())
	must(t, w.Cancel(id, "operator", "Reset."))
	h := w.finish(t, id)
	if only[trace.Cancelled](t, h).By != "operator" || len(all[trace.RunError](h)) > 0 {
		t.Errorf("not cancelled:\n%s", h)
	}
	w.assertEnded(t, h, 1)
}

// A cancellation must not leave a token that nobody knows of: what is being
// issued when it comes is waited for.
func TestCancelDuringIssue(t *testing.T) { onEach(t, testCancelDuringIssue) }

func testCancelDuringIssue(t *testing.T, kind brokertest.Starter) {
	w := newWorld(t, kind, worldConfig{})
	for name, path := range map[string]string{"agent": "/v1/register", "delegation": "/v1/delegate"} {
		t.Run(name, func(t *testing.T) {
			reached, goOn := make(chan struct{}), make(chan struct{})
			var once sync.Once
			w.link.fail(t, path, func(http.ResponseWriter, *http.Request) bool {
				once.Do(func() { close(reached); <-goOn })
				return false
			})
			id := w.start(t, "P-1042", "Prescribe Amoxicillin for bacterial infection", "")
			<-reached
			must(t, w.Cancel(id, "presenter", ""))
			close(goOn)
			h := w.finish(t, id)
			w.assertEnded(t, h, map[string]int{"agent": 1, "delegation": 3}[name])
			if n := len(w.link.tokens(id)); n != 2*h.Run.Summary.Tokens { // each and its successor
				t.Errorf("%d tokens were handed out, %d are known", n, h.Run.Summary.Tokens)
			}
		})
	}
}

// A write that was begun is waited for, so that the trace knows whether it was
// done.
func TestCancelDuringWrite(t *testing.T) { onEach(t, testCancelDuringWrite) }

func testCancelDuringWrite(t *testing.T, kind brokertest.Starter) {
	w := newWorld(t, kind, worldConfig{})
	id := w.start(t, "P-1042", "Write a note: feels better", "step")
	w.stepTo(t, id, "call write_clinical_notes for P-1042")
	reached, goOn := make(chan struct{}), make(chan struct{})
	asked := 0
	w.link.fail(t, "/v1/token/validate", func(http.ResponseWriter, *http.Request) bool {
		if asked++; asked == 2 { // the first is the gate's, this is the records API's
			close(reached)
			<-goOn
		}
		return false
	})
	must(t, w.Next(id))
	<-reached
	must(t, w.Cancel(id, "presenter", ""))
	time.Sleep(20 * time.Millisecond) // for a call that heeds it to give up
	close(goOn)
	h := w.finish(t, id)
	if only[trace.ToolCall](t, h).Tool != "write_clinical_notes" || h.Run.Outcome != trace.OutcomeCancelled {
		t.Errorf("the write was lost sight of:\n%s", h)
	}
	w.assertEnded(t, h, 1)
}

func TestRunContinuesWithoutItsStarter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := agents.ParseRequest("P-1042", "Show records", "step")
	must(t, err)
	run, err := w.Start(ctx, req)
	must(t, err)
	cancel() // the browser tab is closed
	must(t, w.SetPace(run.ID, agents.Instant))
	h := w.finish(t, run.ID)
	if h.Run.Outcome != trace.OutcomeAnswered {
		t.Errorf("the run %s:\n%s", h.Run.Outcome, h)
	}
	w.assertEnded(t, h, 1)
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).withModel(t, scripted(t, wantRecords, wantRecords, hangs)) // one turn is the first run's
	ids := []string{w.start(t, "P-1042", "Show records", "step")}
	w.stepTo(t, ids[0], "validate the clinical token")
	ids = append(ids, w.start(t, "P-2187", "Show records", ""), w.start(t, "P-3301", "Show records", "talk:30s"))
	w.until(t, ids[1], func(s trace.Step) bool { l, ok := s.(trace.LLMStart); return ok && l.Turn == 2 })
	must(t, w.Shutdown(t.Context()))
	for _, id := range ids {
		h := w.finish(t, id)
		if c := only[trace.Cancelled](t, h); c.By != "shutdown" {
			t.Errorf("cancelled = %+v", c)
		}
		w.assertEnded(t, h, len(all[trace.AgentCreated](h)))
	}
	if len(w.Live()) != 0 {
		t.Errorf("live: %v", w.Live())
	}
	req, _ := agents.ParseRequest("P-1042", "Show records", "")
	if _, err := w.Start(t.Context(), req); !errors.Is(err, agents.ErrStopping) {
		t.Errorf("start after shutdown = %v", err)
	}
}

func TestShutdownDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).with(t, func(c *agents.Config) { c.Limits.Cleanup = 500 * time.Millisecond })
	id := w.start(t, "P-1042", "Show records", "step")
	w.stepTo(t, id, "call get_patient_records for P-1042")
	w.link.fail(t, "", hung)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown = %v", err)
	}
	w.link.heal()
}

func TestLiveRunLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).with(t, func(c *agents.Config) { c.Limits.LiveRuns = 2 })
	a, b := w.start(t, "P-1042", "Show records", "step"), w.start(t, "P-1042", "Show records", "step")
	req, err := agents.ParseRequest("P-1042", "Show records", "")
	must(t, err)
	if _, err := w.Start(t.Context(), req); !errors.Is(err, agents.ErrBusy) {
		t.Errorf("a third run: %v", err)
	}
	must(t, w.Cancel(a, "presenter", ""))
	w.finish(t, a)
	run, err := w.Start(t.Context(), req)
	must(t, err)
	w.finish(t, run.ID)
	must(t, w.Cancel(b, "presenter", ""))
	w.finish(t, b)
}

func TestConcurrentRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{dir: t.TempDir()})
	var wg sync.WaitGroup
	n := 8
	if testing.Short() {
		n = 4
	}
	for range n {
		wg.Go(func() {
			for range 2 { // the second starts while others run
				req, err := agents.ParseRequest("P-1042", fullRequest, "")
				if err != nil {
					t.Error(err)
					return
				}
				run, err := w.Start(t.Context(), req)
				if err != nil {
					t.Error(err)
					return
				}
				if err := w.Wait(t.Context(), run.ID); err != nil {
					t.Error(err)
				}
				run, err = w.log.Run(t.Context(), run.ID)
				if err != nil || run.Outcome != trace.OutcomeAnswered || !run.Summary.AllRevoked || run.Summary.Allowed != 4 {
					t.Errorf("run = %+v, %v", run, err)
				}
				if n := w.valid(t, run.ID); n > 0 {
					t.Errorf("%d tokens live on", n)
				}
			}
		})
	}
	wg.Wait()
}

func TestNotLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{})
	over := w.encounter(t, "P-1042", "Show records").Run.ID
	for _, id := range []string{over, "run-0"} {
		_, state := w.State(id)
		_, watch := w.Watch(id)
		_, stolen := w.Stolen(id)
		for op, err := range map[string]error{"Next": w.Next(id), "Cancel": w.Cancel(id, "presenter", ""), "SetPace": w.SetPace(id, agents.Step),
			"State": state, "Watch": watch, "Stolen": stolen} {
			if !errors.Is(err, agents.ErrNotLive) {
				t.Errorf("%s of %s = %v", op, id, err)
			}
		}
	}
	if err := w.Wait(t.Context(), over); err != nil {
		t.Errorf("waiting for a run that is over: %v", err)
	}
	if err := w.Wait(t.Context(), "run-0"); !errors.Is(err, trace.ErrNotFound) {
		t.Errorf("waiting for a run that never was: %v", err)
	}
}

func TestAbandonedRunEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).with(t, func(c *agents.Config) { c.Limits.Stay, c.Limits.Run = 2*time.Second, time.Minute })
	id := w.start(t, "P-1042", "Show records", "step")
	w.stepTo(t, id, "call get_patient_records for P-1042")
	h := w.finish(t, id)
	if e := only[trace.RunError](t, h); e.Stage != "limit" || h.Run.Outcome != trace.OutcomeFailed {
		t.Errorf("%s: %+v", h.Run.Outcome, e)
	}
	w.assertEnded(t, h, 1)
}

// panicking is a model with a bug.
type panicking struct{ llm.Model }

func (p panicking) Complete(ctx context.Context, req llm.Request, onText func(string)) (llm.Reply, error) {
	if len(req.Messages) > 2 {
		panic("a bug, and a secret: hunter2")
	}
	return p.Model.Complete(ctx, req, onText)
}

func TestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).withModel(t, panicking{llm.NewPlanner()})
	h := w.encounter(t, "P-1042", "Show records")
	e := only[trace.RunError](t, h)
	if e.Stage != "internal" || strings.Contains(e.Message+e.Hint, "hunter2") || h.Run.Outcome != trace.OutcomeFailed {
		t.Errorf("%s: %+v", h.Run.Outcome, e)
	}
	w.assertEnded(t, h, 1)
	w.encounter(t, "P-1042", "Hello") // the service goes on
}

func TestRecordsAPIFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).withModel(t, scripted(t, wantRecords, say("I could not read the records.")))
	id := w.start(t, "P-1042", "Show records", "step")
	w.stepTo(t, id, "call get_patient_records for P-1042")
	asked := 0
	w.link.fail(t, "/v1/token/validate", func(http.ResponseWriter, *http.Request) bool {
		if asked++; asked > 1 { // the gate may ask, the records API may not
			panic(http.ErrAbortHandler)
		}
		return false
	})
	must(t, w.Next(id))
	w.stepTo(t, id, "renew the clinical token")
	w.link.heal()
	must(t, w.SetPace(id, agents.Instant))
	h := w.finish(t, id)
	if e := only[trace.ToolError](t, h); e.Category != "clinical" || e.Reason == "" {
		t.Errorf("error = %+v", e)
	}
	if h.Run.Outcome != trace.OutcomeAnswered {
		t.Errorf("the run %s:\n%s", h.Run.Outcome, h)
	}
	w.assertEnded(t, h, 1)
}

func TestNew(t *testing.T) {
	if _, err := agents.New(agents.Config{}); err == nil {
		t.Error("a service of nothing was made")
	}
}
