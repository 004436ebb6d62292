package stage

import (
	"context"
	"net/http/httptest"
	"strings"
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
