package stage

import (
	"bytes"
	"context"
	"net/http"

	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// Show puts a run on the stage, for all who follow.
func (p *Pages) Show(ctx context.Context, runID string) error {
	view, err := p.cfg.View(ctx, runID)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	respond.Partial(&b, "#run", "outerHTML", view)
	p.onStage.Set(scene{runID, b.Bytes()})
	return nil
}

// frames is GET /stage/frames: each run that is put on the stage replaces the
// one that the page shows, which ?run= names.
func (p *Pages) frames(w http.ResponseWriter, r *http.Request) error {
	shown, known := r.URL.Query().Get("run"), int64(0)
	return p.cfg.Streams.Serve(w, r, func(stream *sse.Stream) {
		stream.Send(func(ctx context.Context) ([]byte, error) {
			for {
				scene, version, err := p.onStage.Next(ctx, known)
				if err != nil {
					return nil, err
				}
				known = version
				if scene.run != shown {
					shown = scene.run
					return sse.Append(nil, version, scene.html), nil
				}
			}
		})
	})
}
