package run

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/shared"
)

// encoded returns what encode makes of a run, in one copy for all who read it. An
// ended run does not change, so its copy is kept for a while.
func (p *Pages) encoded(r *http.Request, form string, info trace.Run, encode func(context.Context) ([]byte, error)) (*shared.Answer, error) {
	key := form + " " + info.ID
	if info.Live() {
		events, err := p.cfg.Log.Events(r.Context(), info.ID, 0)
		if err != nil {
			return nil, err
		}
		state, _ := p.cfg.Runs.State(info.ID) // the zero state if it has just ended
		key += fmt.Sprintf(" %d %v", len(events), state)
	}
	if info.Unsaved {
		key += " unsaved"
	}
	return p.cfg.Shared.Get(r, key, !info.Live() && !info.Unsaved, encode)
}

// view returns a run as it stands, rendered for all who look at it.
func (p *Pages) view(r *http.Request, info trace.Run) (*shared.Answer, error) {
	return p.encoded(r, "view", info, func(ctx context.Context) ([]byte, error) {
		run, err := p.project(ctx, info.ID)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		respond.Write(&b, RunView(run))
		return b.Bytes(), nil
	})
}

// replayCost is about the memory that the replay of a run takes, as a multiple of
// its events as JSON: its projection, and its frames as HTML.
const replayCost = 4

// size returns the bytes of events as JSON.
func size(events []trace.Event) (n int) {
	for _, e := range events {
		encoded, err := e.JSON()
		if err == nil { // it was stored as JSON
			n += len(encoded)
		}
	}
	return n
}
