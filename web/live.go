package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/picture"
	"github.com/devonartis/medassist-go/web/view"
)

// maxOldRuns is how many runs that are over keep their frames in memory; those
// of an older one are made again from its trace if someone asks.
const maxOldRuns = 16

// frame is what one event changes on the page, rendered once for all watchers.
type frame struct {
	seq   int64 // of the last event it holds
	event bool  // false for what is no event: a run that waits, or goes on
	html  []byte
}

// live renders one run.
type live struct {
	frames *trace.Feed[frame]
}

// gather is how long an answer that streams collects words before it is
// rendered again.
const gather = 60 * time.Millisecond

// liveRun finds the run's renderer, or starts one.
func (s *Server) liveRun(ctx context.Context, id string) (*live, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.live[id]; l != nil {
		return l, nil
	}
	info, err := s.cfg.Log.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	cursor, err := s.cfg.Log.Follow(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	l := &live{frames: trace.NewFeed[frame]()}
	s.live[id] = l
	s.work.Go(func() {
		over := s.follow(l, info, cursor)
		l.frames.Close()
		s.retire(id, over)
	})
	return l, nil
}

// retire keeps the frames of a run that is over for a while. Those of a run
// that could not be followed to its end are made again for who comes back.
func (s *Server) retire(id string, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !over {
		delete(s.live, id)
		return
	}
	s.old = append(s.old, id)
	if len(s.old) > maxOldRuns {
		delete(s.live, s.old[0])
		s.old = s.old[1:]
	}
}

// follow turns a run's events, and its waiting, into frames. It reports
// whether it came to the run's end.
func (s *Server) follow(l *live, info trace.Run, cursor *trace.Cursor[trace.Event]) bool {
	r := &renderer{run: view.NewRun(info), frames: l.frames}
	ctx, cancel := context.WithCancel(s.ending)
	defer cancel()
	var waits sync.WaitGroup
	defer waits.Wait()
	defer cancel()
	if states, err := s.cfg.Runs.Watch(info.ID); err == nil {
		waits.Go(func() {
			for {
				news, err := states.Next(ctx)
				if err != nil {
					return
				}
				r.stand(news[len(news)-1])
			}
		})
	}
	for {
		events, err := cursor.Next(ctx)
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		r.add(events)
		if _, streams := events[len(events)-1].Step.(trace.LLMDelta); streams {
			pause(ctx, gather)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// renderer makes frames. Two goroutines feed it, one at a time.
type renderer struct {
	frames *trace.Feed[frame]

	mu  sync.Mutex
	run *view.Run
}

// add renders events: a line of the trace for each, and with the last of them
// whatever else they changed, since only its latest state matters.
func (r *renderer) add(events []trace.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var changed view.Changed
	for i, e := range events {
		lines := len(r.run.Steps)
		changed.Merge(r.run.Apply(e))
		var b bytes.Buffer
		if len(r.run.Steps) > lines {
			step := r.run.Steps[lines]
			partial(&b, "#trace", "beforeend", view.StepLine(step))
			partial(&b, "#newest", "innerHTML", words(step.What))
		}
		if i == len(events)-1 {
			r.state(&b, changed)
		}
		r.frames.Append(frame{seq: e.Seq, event: true, html: b.Bytes()})
	}
}

// state renders the parts that show how the run stands.
func (r *renderer) state(b *bytes.Buffer, c view.Changed) {
	if c.Picture {
		partial(b, "#authority", "innerHTML", picture.Authority(r.run.Picture))
	}
	if c.Timeline {
		partial(b, "#waterfall", "innerHTML", picture.Waterfall(r.run.Timeline))
	}
	if c.Cards {
		partial(b, "#cards", "innerMorph", view.Cards(r.run))
	}
	if c.Answer {
		partial(b, "#answer", "innerHTML", view.Answer(r.run))
		partial(b, "#author", "innerHTML", words(r.run.Author))
	}
	partial(b, "#status", "innerMorph", view.Status(r.run))
	if !r.run.Live() {
		partial(b, "#stream", "delete", templ.NopComponent)
	}
}

// stand renders that a run waits for the presenter or goes on, and how fast.
func (r *renderer) stand(state agents.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pace := state.Pace.String()
	if r.run.Waiting == state.Waiting && r.run.Pace == pace || r.run.Complete != nil {
		return
	}
	r.run.Waiting, r.run.Pace = state.Waiting, pace
	var b bytes.Buffer
	partial(&b, "#status", "innerMorph", view.Status(r.run))
	r.frames.Append(frame{seq: r.run.LastSeq, html: b.Bytes()})
}

// words are plain text as a component.
func words(text string) templ.Component { return templ.Raw(templ.EscapeString(text)) }

// partial writes one part of the page and where it goes.
func partial(b *bytes.Buffer, target, swap string, c templ.Component) {
	fmt.Fprintf(b, `<hx-partial hx-target="%s" hx-swap="%s">`, target, swap)
	write(b, c)
	b.WriteString("</hx-partial>")
}

// frames is GET /runs/{id}/frames: the page's own stream.
func (s *Server) frames(w http.ResponseWriter, r *http.Request) {
	after, err := resumeAfter(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	l, err := s.liveRun(r.Context(), chi.URLParam(r, "id"))
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
	follow(ctx, stream, l.frames.From(0), func(b []byte, f frame) ([]byte, error) {
		if f.seq < after || f.seq == after && f.event {
			return b, nil
		}
		return appendMessage(b, f.seq, f.html), nil
	})
}
