package agents_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/trace"
)

// A request that is sent several times with one key starts one run.
func TestRepeatedStart(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Now()
	w := newWorld(t, brokertest.Start, worldConfig{}).with(t, func(c *agents.Config) {
		c.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
		c.Limits.LiveRuns = 3
	})
	start := func(key, text string) (trace.Run, error) {
		req, err := agents.ParseRequest("P-1042", text, "step")
		must(t, err)
		req.Key = key
		return w.Start(t.Context(), req)
	}
	first, err := start("a", "Show records")
	must(t, err)

	ids := make(chan string, 5)
	var wg sync.WaitGroup
	for range cap(ids) {
		wg.Go(func() {
			run, err := start("b", "Show records")
			if err != nil {
				t.Error(err)
			}
			ids <- run.ID
		})
	}
	wg.Wait()
	close(ids)
	second := <-ids
	for id := range ids {
		if id != second {
			t.Errorf("runs %s and %s have one key", second, id)
		}
	}
	if again, err := start("a", "Show records"); err != nil || again.ID != first.ID || first.ID == second {
		t.Errorf("key a: run %s, %v, want %s, which is not %s", again.ID, err, first.ID, second)
	}
	if n := len(w.Live()); n != 2 {
		t.Errorf("%d runs are live, want 2", n)
	}
	var input *agents.InputError
	if _, err := start("a", "Show labs"); !errors.As(err, &input) || input.Field != "idempotency_key" {
		t.Errorf("a key for two requests: %v", err)
	}
	if _, err := start(strings.Repeat("k", 101), "Show records"); !errors.As(err, &input) || input.Field != "idempotency_key" {
		t.Errorf("a long key: %v", err)
	}

	mu.Lock()
	now = now.Add(10 * time.Second)
	mu.Unlock()
	third, err := start("a", "Show records")
	if err != nil || third.ID == first.ID {
		t.Errorf("the key is remembered after the window: %s, %v", third.ID, err)
	}
	// A start that failed is not remembered.
	if _, err := start("c", "Show records"); !errors.Is(err, agents.ErrBusy) {
		t.Errorf("a fourth run: %v", err)
	}
	must(t, w.Cancel(first.ID, "presenter", "Enough."))
	w.finish(t, first.ID)
	if _, err := start("c", "Show records"); err != nil {
		t.Errorf("after a run has ended: %v", err)
	}
	for _, id := range w.Live() {
		must(t, w.Cancel(id, "presenter", "Enough."))
		w.finish(t, id)
	}
}
