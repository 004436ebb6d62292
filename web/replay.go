package web

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/view"
)

// Bounds of a replay.
const (
	slowest = 0.25 // times as fast as it was
	fastest = 100.0
	maxGap  = 2 * time.Second // a longer gap between two events is shortened to it
)

// again is a stored run, split where a replay goes on.
type again struct {
	run  *view.Run // as of the split
	rest []trace.Event
}

// readReplay reads what to replay: the run, ?speed= (1 if left out, 0 holds it)
// and ?after=, the last event that is shown already. A live run is none.
func (s *Server) readReplay(r *http.Request) (a again, live bool, err error) {
	speed := 1.0
	if text := r.URL.Query().Get("speed"); text != "" {
		speed, err = strconv.ParseFloat(text, 64)
		if err != nil || speed != 0 && !(slowest <= speed && speed <= fastest) {
			return a, false, &inputError{http.StatusBadRequest, "speed", "the speed of a replay is 0.25 to 100, or 0 to hold it"}
		}
	}
	after, err := resumeAfter(r)
	if err != nil {
		return a, false, err
	}
	x, err := trace.ReadExport(r.Context(), s.cfg.Log, chi.URLParam(r, "id"))
	if err != nil || x.Run.Live() {
		return a, err == nil, err
	}
	a.run = view.NewRun(x.Run)
	a.run.Replay, a.run.Picture.Still = &view.Replay{Speed: speed}, true
	a.rest = x.Events
	for len(a.rest) > 0 && a.rest[0].Seq <= after {
		a.run.Apply(a.rest[0])
		a.rest = a.rest[1:]
	}
	return a, false, nil
}

// replay is GET /runs/{id}/replay: the page of a run that is shown again.
func (s *Server) replay(w http.ResponseWriter, r *http.Request) {
	a, live, err := s.readReplay(r)
	switch {
	case err != nil:
		s.refuse(w, r, err)
	case live:
		http.Redirect(w, r, "/runs/"+chi.URLParam(r, "id"), http.StatusSeeOther)
	default:
		render(w, http.StatusOK, view.ReplayPage(view.Encounter{Page: s.page(r, "Replay", "encounter", "/runs"), Run: a.run}))
	}
}

// replayFrames is GET /runs/{id}/replay/frames: the frames of the run's own
// page, made again of its stored events. It reads; it starts nothing.
func (s *Server) replayFrames(w http.ResponseWriter, r *http.Request) {
	a, live, err := s.readReplay(r)
	if err == nil && (live || a.run.Replay.Speed == 0) {
		err = &inputError{http.StatusConflict, "", "The run goes on, or its replay is held."}
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	ctx, done := s.untilStop(r.Context())
	defer done()
	stream, err := openStream(w)
	if err != nil {
		return
	}
	a.play(ctx, stream)
}

// play sends an event's frame when as much time has gone by as lay between it
// and the one before, at the replay's speed.
func (a again) play(ctx context.Context, stream *eventStream) {
	feed := trace.NewFeed[frame]()
	frames := feed.From(0)
	r := &renderer{run: a.run, frames: feed}
	for i, e := range a.rest {
		if i > 0 {
			gap := time.Duration(float64(e.Time.Sub(a.rest[i-1].Time)) / a.run.Replay.Speed)
			pause(ctx, min(gap, maxGap))
		}
		r.add([]trace.Event{e})
		made, err := frames.Next(ctx)
		if err != nil {
			return
		}
		for _, f := range made {
			if stream.write(appendMessage(nil, f.seq, f.html)) != nil {
				return
			}
		}
	}
}
