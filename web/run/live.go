package run

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
	"github.com/devonartis/medassist-go/web/picture"
)

// maxEnded is how many ended runs keep their frames in memory. Those of an
// older run are rendered from its trace when a client asks for them.
const maxEnded = 4

// collect is how long a streaming answer collects words before it is rendered.
const collect = 60 * time.Millisecond

// frame is what one event changes on the page, rendered once for all watchers.
type frame struct {
	seq   int64 // of the last event that it shows
	event bool  // false for a change that is not an event: the run waits, or goes on
	html  []byte
}

// frames is GET /runs/{id}/frames: the page's stream.
func (p *Pages) frames(w http.ResponseWriter, r *http.Request) error {
	after, err := sse.ResumeAfter(r)
	if err != nil {
		return err
	}
	frames, err := p.live.frames(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	return p.cfg.Streams.Serve(w, r, func(stream *sse.Stream) {
		sse.Follow(stream, frames.From(0), func(b []byte, f frame) ([]byte, error) {
			if f.seq < after || f.seq == after && f.event {
				return b, nil
			}
			return sse.Append(b, f.seq, f.html), nil
		})
	})
}

// liveRuns renders runs, each once for all who watch it. Safe for concurrent
// use.
type liveRuns struct {
	log     trace.Log
	runs    Runs
	streams *sse.Streams
	work    sync.WaitGroup

	mu     sync.Mutex
	feeds  map[string]*trace.Feed[frame] // by run
	closed []string                      // runs in feeds that have ended, oldest first
}

func newLiveRuns(log trace.Log, runs Runs, streams *sse.Streams) *liveRuns {
	return &liveRuns{log: log, runs: runs, streams: streams, feeds: make(map[string]*trace.Feed[frame])}
}

// frames returns a run's frames, and starts a renderer if the run has none.
func (l *liveRuns) frames(ctx context.Context, id string) (*trace.Feed[frame], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if feed := l.feeds[id]; feed != nil {
		return feed, nil
	}
	info, err := l.log.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	cursor, err := l.log.Follow(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	feed := trace.NewFeed[frame]()
	l.feeds[id] = feed
	l.work.Go(func() {
		ended := l.follow(&renderer{run: NewRun(info), frames: feed}, cursor)
		feed.Close()
		l.retire(id, ended)
	})
	return feed, nil
}

// retire keeps the frames of the last runs that ended. Those of a run that
// could not be followed to its end are dropped, and rendered again on request.
func (l *liveRuns) retire(id string, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ended {
		delete(l.feeds, id)
		return
	}
	l.closed = append(l.closed, id)
	if len(l.closed) > maxEnded {
		delete(l.feeds, l.closed[0])
		l.closed = l.closed[1:]
	}
}

// follow renders a run's events and its waiting until the server stops. It
// reports whether it reached the run's end.
func (l *liveRuns) follow(r *renderer, cursor *trace.Cursor[trace.Event]) (ended bool) {
	var waits sync.WaitGroup
	defer waits.Wait()
	ctx, cancel := context.WithCancel(l.streams.Stopping())
	defer cancel()
	if states, err := l.runs.Watch(r.run.Info.ID); err == nil {
		waits.Go(func() {
			for {
				changes, err := states.Next(ctx)
				if err != nil {
					return
				}
				r.setState(changes[len(changes)-1])
			}
		})
	}
	for {
		events, err := cursor.Next(ctx)
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		r.add(events)
		if _, streaming := events[len(events)-1].Step.(trace.LLMDelta); streaming {
			sleep(ctx, collect)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// renderer makes frames. Safe for use by two goroutines: one for a run's
// events, one for its state.
type renderer struct {
	frames *trace.Feed[frame]

	mu  sync.Mutex
	run *Run
}

// add renders events: for each a line of the trace, and with the last of them
// the other parts that they changed, since only the latest state is of use.
func (r *renderer) add(events []trace.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var changed Changed
	for i, e := range events {
		lines := len(r.run.Steps)
		changed.Merge(r.run.Apply(e))
		var b bytes.Buffer
		if len(r.run.Steps) > lines {
			step := r.run.Steps[lines]
			respond.Partial(&b, "#trace", "beforeend", StepLine(step))
			respond.Partial(&b, "#newest", "innerHTML", respond.Text(step.What))
		}
		if i == len(events)-1 {
			r.renderState(&b, changed)
		}
		r.frames.Append(frame{seq: e.Seq, event: true, html: b.Bytes()})
	}
}

// renderState renders the parts that show the run as a whole.
func (r *renderer) renderState(b *bytes.Buffer, c Changed) {
	if c.Hero {
		respond.Partial(b, "#authority", "innerHTML", Picture(r.run))
	}
	respond.Partial(b, "#verdict", "innerMorph", VerdictLine(r.run))
	respond.Partial(b, "#key-moment", "innerMorph", KeyMoment(r.run))
	respond.Partial(b, "#cleanup", "innerMorph", CleanUp(r.run))
	if c.Timeline {
		respond.Partial(b, "#waterfall", "innerHTML", picture.Waterfall(r.run.Timeline))
	}
	if c.Cards {
		respond.Partial(b, "#cards", "innerMorph", Cards(r.run))
	}
	if c.Answer {
		respond.Partial(b, "#answer", "innerHTML", Answer(r.run))
		respond.Partial(b, "#author", "innerHTML", respond.Text(r.run.Author))
	}
	respond.Partial(b, "#status", "innerMorph", Status(r.run))
	if !r.run.Live() {
		respond.Partial(b, "#stream", "delete", templ.NopComponent)
	}
}

// setState renders that a run waits for the presenter or goes on, and its pace.
func (r *renderer) setState(state agents.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pace := state.Pace.String()
	if r.run.Waiting == state.Waiting && r.run.Pace == pace || r.run.Complete != nil {
		return
	}
	r.run.Waiting, r.run.Pace = state.Waiting, pace
	var b bytes.Buffer
	respond.Partial(&b, "#verdict", "innerMorph", VerdictLine(r.run))
	respond.Partial(&b, "#status", "innerMorph", Status(r.run))
	r.frames.Append(frame{seq: r.run.LastSeq, html: b.Bytes()})
}
