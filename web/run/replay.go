package run

import (
	"bytes"
	"context"
	"fmt"
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
	// A run at pace Instant is over in less than a second, so a replay at speed 1
	// shows each step, and each key moment, for at least this long.
	minStep   = 250 * time.Millisecond
	minMoment = 2 * time.Second
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
	run  *Run // at the split
	rest []trace.Event
}

// readReplay reads which replay a request is for: ?speed= (default 1, 0 pauses) and
// ?after=, the last event that the page already shows.
func readReplay(r *http.Request) (replay Replay, after int64, err error) {
	replay.Speed = 1
	if text := r.URL.Query().Get("speed"); text != "" {
		replay.Speed, err = strconv.ParseFloat(text, 64)
		if err != nil || replay.Speed != 0 && !(minSpeed <= replay.Speed && replay.Speed <= maxSpeed) {
			return replay, 0, respond.BadInput("speed", "The speed of a replay is 0.25 to 100, or 0 to pause it.")
		}
	}
	after, err = sse.ResumeAfter(r)
	return replay, after, err
}

// readPlayback reads an ended run.
func (p *Pages) readPlayback(ctx context.Context, id string, replay Replay, after int64) (b playback, err error) {
	x, err := trace.ReadExport(ctx, p.cfg.Log, id)
	if err != nil {
		return b, err
	}
	b.run = NewRun(x.Run)
	b.run.Replay = &replay
	b.rest = x.Events
	for len(b.rest) > 0 && b.rest[0].Seq <= after {
		b.run.Apply(b.rest[0])
		b.rest = b.rest[1:]
	}
	return b, nil
}

// replay is GET /runs/{id}/replay. A live run can't be replayed.
func (p *Pages) replay(w http.ResponseWriter, r *http.Request) error {
	replay, after, err := readReplay(r)
	if err != nil {
		return err
	}
	info, err := p.cfg.Log.Run(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if info.Live() {
		http.Redirect(w, r, "/runs/"+info.ID, http.StatusSeeOther)
		return nil
	}
	view, err := p.encoded(r, fmt.Sprintf("replay %v %d", replay.Speed, after), info, func(ctx context.Context) ([]byte, error) {
		b, err := p.readPlayback(ctx, info.ID, replay, after)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		respond.Write(&out, RunView(b.run))
		return out.Bytes(), nil
	})
	if err != nil {
		return err
	}
	defer view.Release()
	return respond.Around(w, http.StatusOK, ReplayPage(p.cfg.Respond.Page(r, "Replay", "encounter", "/runs"), respond.Hole), view.Bytes())
}

// replayFrames is GET /runs/{id}/replay/frames: the frames of the run's own
// page, rendered from its stored events.
func (p *Pages) replayFrames(w http.ResponseWriter, r *http.Request) error {
	replay, after, err := readReplay(r)
	if err != nil {
		return err
	}
	info, err := p.cfg.Log.Run(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if info.Live() || replay.Speed == 0 {
		return &respond.Error{Status: http.StatusConflict, Detail: "The run is live, or its replay is paused."}
	}
	b, err := p.readPlayback(r.Context(), info.ID, replay, after)
	if err != nil {
		return err
	}
	release, err := p.cfg.Shared.Reserve(r, replayCost*size(b.rest))
	if err != nil {
		return err
	}
	defer release()
	return p.cfg.Streams.ServePage(w, r, func(stream *sse.Stream) { b.play(stream.Context(), stream, readLayout(r)) })
}

// gap returns the time that a replay stays at an event before the next.
func gap(at, next trace.Event, speed float64) time.Duration {
	least := minStep
	switch at.Step.(type) {
	case trace.LLMDelta:
		least = 0
	case trace.ScopeDenied, trace.TokenRejected, trace.DelegationDenied, trace.Delegation, trace.TokenRevoked, trace.StolenTokenUsed:
		least = minMoment
	case trace.Validation, trace.PatientLookup, trace.BrokerHealth, trace.BrokerWait, trace.LLMStart, trace.LLMWait, trace.LLMResponse,
		trace.AgentCreated, trace.AgentError, trace.TokenValidated, trace.ToolCall, trace.ToolError, trace.TokenRenewed, trace.TokenReleased,
		trace.ReleaseError, trace.PostReleaseValidation, trace.Incident, trace.Cancelled, trace.RunError, trace.Complete: // the least time
	}
	took := min(max(next.Time.Sub(at.Time), least), max(least, time.Duration(float64(maxGap)*speed)))
	return time.Duration(float64(took) / speed)
}

// play sends what each event changes after the time that passed between it and the
// one before, divided by the replay's speed.
func (b playback) play(ctx context.Context, stream *sse.Stream, l layout) {
	r := newRenderer(b.run)
	for i, e := range b.rest {
		if i > 0 {
			sleep(ctx, gap(b.rest[i-1], e, b.run.Replay.Speed))
		}
		if ctx.Err() != nil || stream.Write(r.add([]trace.Event{e})[l]) != nil {
			return
		}
	}
}
