package agents_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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

// A run is cut after every single step, in every way in which it can be cut. When
// it has ended, the broker accepts none of its tokens, or the trace says until when
// it may accept one.
func TestRunCutAtEveryStep(t *testing.T) { onEach(t, testRunCutAtEveryStep) }

func testRunCutAtEveryStep(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	causes := map[string]func(w *world, m *flakyModel, runID string){
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
		"broker gone":      func(w *world, _ *flakyModel, _ string) { w.link.setFault("", broken) },
		"broker restarted": func(w *world, _ *flakyModel, _ string) { w.broker.Restart(t) },
	}
	for name, cut := range causes {
		shards := int64(1)
		if name == "broker gone" {
			shards = 4 // each run waits long for the broker
		}
		for shard := range shards {
			t.Run(fmt.Sprintf("%s %d", name, shard+1), func(t *testing.T) {
				t.Parallel()
				cutRuns(t, kind, name, cut, 1+shard, shards)
			})
		}
	}
}

// cutRuns cuts runs after the step at, the step at+stride and so on, each once, up
// to the last step of a run.
func cutRuns(t *testing.T, kind brokertest.Starter, name string, cut func(*world, *flakyModel, string), at, stride int64) {
	var wc worldConfig
	if name == "broker restarted" {
		wc.broker = []brokertest.Option{brokertest.OnDisk(t.TempDir())}
	}
	base := newWorld(t, kind, wc)
	if name == "broker gone" && !base.broker.Strict {
		t.Skip("one that is gone is like any other")
	}
	if !base.broker.Strict && !strings.HasPrefix(name, "broker") {
		stride *= 3 // it depends little on the kind of broker
	}
	model := newFlakyModel(t)
	if testing.Short() {
		stride *= 4
	}
	for ; ; at += stride {
		var w *world
		log := &cutLog{Log: base.log, at: at, do: func(runID string) { cut(w, model, runID) }}
		w = base.with(t, func(c *agents.Config) { c.Log, c.Model = log, model })
		h := w.finish(t, w.start(t, "P-1042", "Prescribe Amoxicillin for bacterial infection", ""))
		base.link.heal()
		model.failing.Store(false)
		sum := h.Run.Summary
		if n := base.valid(t, h.Run.ID); n > 0 && sum.ValidUntil < time.Now().Unix() {
			t.Errorf("cut at step %d: %d tokens are still valid, and the trace does not say until when:\n%s", at, n, h)
		} else if n > 0 && name != "broker gone" {
			t.Errorf("cut at step %d: %d tokens are still valid:\n%s", at, n, h)
		}
		if sum.ValidUntil == 0 && sum.Tokens > 0 && !sum.AllEnded() {
			t.Errorf("cut at step %d: the tokens have not ended, and the trace does not say until when they are valid:\n%s", at, h)
		}
		if outcome := h.Run.Outcome; name == "broker restarted" && outcome != trace.OutcomeAnswered {
			t.Errorf("cut at step %d: the run %s:\n%s", at, outcome, h)
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
