package run

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
	"github.com/devonartis/medassist-go/web/ui"
)

// Bounds of a replay.
const (
	minSpeed = 0.25
	maxSpeed = 100.0
	maxGap   = 2 * time.Second // longer gaps between two events are shortened to it
)

// Replay describes a replay: the events of an ended run are shown again.
// Nothing is requested and nothing is issued.
type Replay struct {
	Speed float64 // 1 is the original speed, 2 twice as fast; 0 is paused
}

// speeds are those that the page offers.
var speeds = []float64{0.5, 1, 2, 4}

// paused reports whether a replay is paused. It is false if there is no replay.
func (p *Replay) paused() bool { return p != nil && p.Speed == 0 }

// framesURL returns the address of the replay's stream, from the last event
// that the page shows.
func (p *Replay) framesURL(r *Run) string {
	return "/runs/" + r.Info.ID + "/replay/frames?speed=" + speedText(p.Speed) + "&after=" + ui.Decimal(r.LastSeq)
}

func replayURL(r *Run, speed float64) string {
	return "/runs/" + r.Info.ID + "/replay?speed=" + speedText(speed)
}

func speedText(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// playback is a stored run, split at the event from which it is replayed.
type playback struct {
	run  *Run // at the split; nil if the run is live
	rest []trace.Event
}

// readPlayback reads what to replay: the run, ?speed= (default 1, 0 pauses) and
// ?after=, the last event that the page already shows. A live run can't be
// replayed.
func (p *Pages) readPlayback(r *http.Request) (b playback, err error) {
	speed := 1.0
	if text := r.URL.Query().Get("speed"); text != "" {
		speed, err = strconv.ParseFloat(text, 64)
		if err != nil || speed != 0 && !(minSpeed <= speed && speed <= maxSpeed) {
			return b, respond.BadInput("speed", "The speed of a replay is 0.25 to 100, or 0 to pause it.")
		}
	}
	after, err := sse.ResumeAfter(r)
	if err != nil {
		return b, err
	}
	x, err := trace.ReadExport(r.Context(), p.cfg.Log, chi.URLParam(r, "id"))
	if err != nil || x.Run.Live() {
		return b, err
	}
	b.run = NewRun(x.Run)
	b.run.Replay = &Replay{Speed: speed}
	b.rest = x.Events
	for len(b.rest) > 0 && b.rest[0].Seq <= after {
		b.run.Apply(b.rest[0])
		b.rest = b.rest[1:]
	}
	return b, nil
}

// replay is GET /runs/{id}/replay.
func (p *Pages) replay(w http.ResponseWriter, r *http.Request) error {
	b, err := p.readPlayback(r)
	if err != nil {
		return err
	}
	if b.run == nil {
		http.Redirect(w, r, "/runs/"+chi.URLParam(r, "id"), http.StatusSeeOther)
		return nil
	}
	return respond.Render(w, http.StatusOK, ReplayPage(Encounter{Page: p.cfg.Respond.Page(r, "Replay", "encounter", "/runs"), Run: b.run}))
}

// replayFrames is GET /runs/{id}/replay/frames: the frames of the run's own
// page, rendered from its stored events.
func (p *Pages) replayFrames(w http.ResponseWriter, r *http.Request) error {
	b, err := p.readPlayback(r)
	if err != nil {
		return err
	}
	if b.run == nil || b.run.Replay.Speed == 0 {
		return &respond.Error{Status: http.StatusConflict, Detail: "The run is live, or its replay is paused."}
	}
	return p.cfg.Streams.Serve(w, r, func(stream *sse.Stream) { b.play(stream.Context(), stream) })
}

// play sends each event's frame after the time that passed between it and the
// one before, divided by the replay's speed.
func (b playback) play(ctx context.Context, stream *sse.Stream) {
	feed := trace.NewFeed[frame]()
	frames := feed.From(0)
	r := &renderer{run: b.run, frames: feed}
	for i, e := range b.rest {
		if i > 0 {
			gap := time.Duration(float64(e.Time.Sub(b.rest[i-1].Time)) / b.run.Replay.Speed)
			sleep(ctx, min(gap, maxGap))
		}
		r.add([]trace.Event{e})
		rendered, err := frames.Next(ctx)
		if err != nil {
			return
		}
		for _, f := range rendered {
			if stream.Write(sse.Append(nil, f.seq, f.html)) != nil {
				return
			}
		}
	}
}
