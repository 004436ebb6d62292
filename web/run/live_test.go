package run

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// loggedRuns has no live run: those of these tests are only in the log.
type loggedRuns struct{ Runs }

func (loggedRuns) Watch(string) (*trace.Cursor[agents.State], error) { return nil, trace.ErrEnded }

// A page that shows more than this replica knows is sent nothing again. If what it
// shows never comes, because the replica that sent it has failed, it is sent the
// whole run.
func TestJoinAhead(t *testing.T) {
	log, err := trace.OpenStore(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	streams := sse.New()
	live := newLiveRuns(log, loggedRuns{}, streams)
	t.Cleanup(func() {
		streams.Stop()
		live.work.Wait()
		_ = log.Close()
	})
	if err := log.Create(t.Context(), trace.Run{ID: "run-1", PatientID: "P-1042", Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	happen := func() {
		if _, err := log.Append(t.Context(), "run-1", trace.Event{Time: time.Now(), Step: trace.LLMStart{Turn: 1}}); err != nil {
			t.Error(err)
		}
	}
	happen()
	run, err := live.watch(t.Context(), "run-1")
	if err != nil {
		t.Fatal(err)
	}
	join := func(ctx context.Context, after int64) string {
		t.Helper()
		missed, _, err := run.join(ctx, after, desk)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		_ = streams.ServePage(w, httptest.NewRequest("GET", "/", nil), func(s *sse.Stream) { _ = s.WriteBlocks(missed) })
		return w.Body.String()
	}
	go func() {
		time.Sleep(20 * time.Millisecond) // until the page has joined
		happen()
	}()
	if sent := join(t.Context(), 2); strings.Contains(sent, `id="step-`) || strings.Contains(sent, `hx-target="#run"`) {
		t.Errorf("a page that is one event ahead is sent %s", sent)
	}
	soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if sent := join(soon, 3); !strings.Contains(sent, `hx-target="#run"`) || !strings.Contains(sent, `id="step-2"`) {
		t.Errorf("a page that shows what never comes is sent %s", sent)
	}
	if sent := join(t.Context(), 1); !strings.Contains(sent, `id="step-2"`) || strings.Contains(sent, `id="step-1"`) {
		t.Errorf("a page that is behind is sent %s", sent)
	}
}
