package agents_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/trace"
)

// cutLog calls do, once, when the step at has been logged. The run's own goroutine
// waits meanwhile, so the cut is exactly between two steps.
type cutLog struct {
	trace.Log
	at int64
	do func(runID string)
}

func (c *cutLog) Append(ctx context.Context, runID string, e trace.Event) (trace.Event, error) {
	e, err := c.Log.Append(ctx, runID, e)
	if err == nil && e.Seq == c.at {
		c.do(runID)
	}
	return e, err
}

// flakyModel is the planner behind the OpenAI protocol, failing on demand.
type flakyModel struct {
	llm.Model
	failing atomic.Bool
}

func newFlakyModel(t testing.TB) *flakyModel {
	m := &flakyModel{}
	next := llm.PlannerHandler()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.failing.Load() {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"error":{"message":"out of order"}}`)
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	var err error
	m.Model, err = llm.NewOpenAI(llm.Config{BaseURL: srv.URL + "/v1", APIKey: "sk-test", Model: "flaky", Transport: ownTransport(t)})
	must(t, err)
	return m
}

// A run is cut after every single step, in every way after which the broker can be
// reached. When it has ended, the broker accepts none of its tokens.
func TestRunCutAtEveryStep(t *testing.T) { onEach(t, testRunCutAtEveryStep) }

func testRunCutAtEveryStep(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	for name, cut := range map[string]func(w *world, m *flakyModel, runID string){
		"cancelled": func(w *world, _ *flakyModel, runID string) {
			if err := w.Cancel(runID, "presenter", "Cut."); err != nil {
				panic(err)
			}
		},
		"model failed": func(_ *world, m *flakyModel, _ string) { m.failing.Store(true) },
		"program stopped": func(w *world, _ *flakyModel, _ string) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel() // ask the run to stop without waiting for it
			_ = w.Shutdown(ctx)
		},
		"broker gone and back": func(w *world, _ *flakyModel, _ string) {
			var once atomic.Bool
			w.link.setFault("", func(rw http.ResponseWriter, r *http.Request) bool {
				if once.CompareAndSwap(false, true) {
					w.link.heal()
					return broken(rw, r)
				}
				return false
			})
		},
		"broker's response lost": func(w *world, _ *flakyModel, _ string) {
			var once atomic.Bool
			w.link.setFault("", func(rw http.ResponseWriter, r *http.Request) bool {
				if once.CompareAndSwap(false, true) {
					w.link.heal()
					return w.link.lost(rw, r)
				}
				return false
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := newWorld(t, kind, worldConfig{})
			stride := int64(1)
			if !base.broker.Strict {
				stride = 3 // it depends little on the kind of broker; TestLostResponse has what does
			}
			cutRuns(t, base, cut, 1, stride, noneValid)
		})
	}
}

func noneValid(h *history, valid int) error {
	if valid > 0 {
		return fmt.Errorf("%d tokens are still valid", valid)
	}
	return nil
}

// A broker that restarts between two steps cuts no run.
func TestBrokerRestartedAtEveryStep(t *testing.T) { onEach(t, testBrokerRestartedAtEveryStep) }

func testBrokerRestartedAtEveryStep(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	base := newWorld(t, kind, worldConfig{broker: []brokertest.Option{brokertest.OnDisk(t.TempDir())}})
	restart := func(w *world, _ *flakyModel, _ string) { w.broker.Restart(t) }
	cutRuns(t, base, restart, 1, 1, func(h *history, valid int) error {
		if outcome := h.Run.Outcome; outcome != trace.OutcomeAnswered {
			return fmt.Errorf("the run %s", outcome)
		}
		return noneValid(h, valid)
	})
}

// If the broker is gone for good, the trace says until when tokens may be valid.
// Brokers of all kinds are gone in the same way.
func TestBrokerGoneAtEveryStep(t *testing.T) {
	t.Parallel()
	const shards = 8 // each run waits long for the broker
	shared := newWorld(t, brokertest.Start, worldConfig{})
	for shard := range int64(shards) {
		t.Run(fmt.Sprint(shard+1), func(t *testing.T) {
			t.Parallel()
			base := shared.behindOwnLink(t, func(*agents.Config) {})
			gone := func(w *world, _ *flakyModel, _ string) { w.link.setFault("", broken) }
			cutRuns(t, base, gone, 1+shard, shards, func(h *history, valid int) error {
				if valid > 0 && h.Run.Summary.ValidUntil < time.Now().Unix() {
					return fmt.Errorf("%d tokens are still valid, and the trace does not say until when", valid)
				}
				return nil
			})
		})
	}
}

// cutRuns cuts runs after the step at, the step at+stride and so on, each once, up
// to the last step of a run. It gives check each run and the number of its tokens
// that the broker accepts.
func cutRuns(t *testing.T, base *world, cut func(*world, *flakyModel, string), at, stride int64, check func(h *history, valid int) error) {
	t.Helper()
	model := newFlakyModel(t)
	if testing.Short() {
		stride *= 8
	}
	for ; ; at += stride {
		var w *world
		log := &cutLog{Log: base.log, at: at, do: func(runID string) { cut(w, model, runID) }}
		w = base.with(t, func(c *agents.Config) { c.Log, c.Model = log, model })
		h := w.finish(t, w.start(t, "P-1042", "Prescribe Amoxicillin for bacterial infection", ""))
		base.link.heal()
		model.failing.Store(false)
		if err := check(h, base.valid(t, h.Run.ID)); err != nil {
			t.Errorf("cut at step %d: %v:\n%s", at, err, h)
		}
		if sum := h.Run.Summary; sum.ValidUntil == 0 && sum.Tokens > 0 && !sum.AllEnded() {
			t.Errorf("cut at step %d: the tokens have not ended, and the trace does not say until when they are valid:\n%s", at, h)
		}
		followed(t, w, h.Run.ID)
		if int64(len(h.Events)) <= at {
			return // the run ended before the cut
		}
	}
}

// followed checks that a watcher of the run sees its last step and then the end of
// the stream, even if it is told to stop.
func followed(t *testing.T, w *world, runID string) {
	t.Helper()
	cursor, err := w.log.Follow(t.Context(), runID, 0)
	must(t, err)
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	events, err := cursor.Next(stopped)
	if err != nil || len(events) == 0 {
		t.Fatalf("a watcher sees %d steps, %v", len(events), err)
	}
	if _, ok := events[len(events)-1].Step.(trace.Complete); !ok {
		t.Errorf("the last step is %s", events[len(events)-1].Step.Type())
	}
	if _, err := cursor.Next(stopped); !errors.Is(err, io.EOF) {
		t.Errorf("the stream does not end: %v", err)
	}
}
