package stage

import (
	"bytes"
	"context"
	"net/http"
	"sync/atomic"

	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// MaxFollowers is the most streams that follow the stage at once.
const MaxFollowers = 2000

var errFull = &respond.Error{Status: http.StatusServiceUnavailable, Detail: "Viewer limit reached. Try again in a moment.", Retry: "10"}

// followers counts the streams that follow the stage.
type followers struct{ n atomic.Int64 }

// join takes one of the places, and reports whether there was one.
func (f *followers) join() bool {
	if f.n.Add(1) > MaxFollowers {
		f.n.Add(-1)
		return false
	}
	return true
}

func (f *followers) leave() { f.n.Add(-1) }

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
	if !p.followers.join() {
		return errFull
	}
	defer p.followers.leave()
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
