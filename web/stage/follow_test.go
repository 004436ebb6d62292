package stage

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// newPages returns pages on which every run is shown as its ID.
func newPages(streams *sse.Streams) *Pages {
	return &Pages{cfg: Config{Streams: streams, View: func(_ context.Context, runID string) (templ.Component, error) {
		return respond.Text(runID), nil
	}}}
}

// At the limit one more follower is refused, and admitted when another leaves.
func TestViewerLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := sse.New()
		p := newPages(streams)
		var following sync.WaitGroup
		// follow returns the refusal of one more follower, or nil if it follows.
		follow := func(ctx context.Context) error {
			ended := make(chan error, 1)
			following.Go(func() {
				ended <- p.frames(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/stage/frames?run=", nil))
			})
			synctest.Wait()
			select {
			case err := <-ended:
				return err
			default:
				return nil
			}
		}
		first, leave := context.WithCancel(t.Context())
		p.followers.n.Store(MaxFollowers - 1)
		if err := follow(first); err != nil {
			t.Errorf("the last place: %v", err)
		}
		for range 2 { // a refusal takes no place
			var e *respond.Error
			if err := follow(t.Context()); !errors.As(err, &e) || e.Status != 503 || e.Retry == "" {
				t.Errorf("one over the limit: %v", err)
			}
		}
		leave()
		synctest.Wait()
		if err := follow(t.Context()); err != nil {
			t.Errorf("after one left: %v", err)
		}
		streams.Stop()
		following.Wait()
		if n := p.followers.n.Load(); n != MaxFollowers-1 {
			t.Errorf("%d followers after all of these have left", n)
		}
	})
}

// A follower is sent the run on the stage, then each next one, and no run that
// it already shows.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := sse.New()
		p := newPages(streams)
		w := httptest.NewRecorder()
		go p.frames(w, httptest.NewRequestWithContext(t.Context(), "GET", "/stage/frames?run=run-1", nil))
		for _, id := range []string{"run-1", "run-2", "run-2", "run-3"} {
			if err := p.Show(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		streams.Stop()
		synctest.Wait()
		body := w.Body.String()
		if strings.Contains(body, "run-1") || strings.Count(body, "run-2") != 1 || strings.Count(body, "run-3") != 1 {
			t.Errorf("sent %s", body)
		}
	})
}
