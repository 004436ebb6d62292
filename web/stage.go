package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/talk"
	"github.com/devonartis/medassist-go/web/view"
)

// maxFollowers bounds the streams that follow the stage.
const maxFollowers = 2000

var errFullHouse = errors.New("the house is full")

// stage is the run that everybody looks at, and where the talk stands. Safe for
// concurrent use.
type stage struct {
	now func() time.Time

	mu      sync.Mutex
	version int // minutes of the talk
	act     int // index into the acts of that version
	run     string
	scene   []byte // the run's view, rendered once for all who follow
	number  int64  // of the scene
	changed chan struct{}

	timer time.Duration // until since
	since time.Time     // zero while the timer stands

	followers int
}

func newStage(now func() time.Time) *stage {
	return &stage{now: now, version: talk.Versions[0], changed: make(chan struct{})}
}

// program is the acts of the version. The caller holds the lock.
func (g *stage) program() []talk.Act { return talk.Acts(g.version) }

// view is where the talk stands.
func (g *stage) view() view.Talk {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := view.Talk{Version: g.version, Acts: g.program(), At: g.act, Run: g.run, Timer: g.timer, Running: !g.since.IsZero()}
	if t.Running {
		t.Timer += g.now().Sub(g.since)
	}
	return t
}

// choose goes to an act; out of range it stays.
func (g *stage) choose(version, act int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.version = version
	if act >= 0 && act < len(g.program()) {
		g.act = act
	}
	g.act = min(g.act, len(g.program())-1)
}

// show puts a run on the stage.
func (g *stage) show(run string, scene []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.run, g.scene = run, scene
	g.number++
	close(g.changed)
	g.changed = make(chan struct{})
}

// begin starts the timer, if it has not been started.
func (g *stage) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.timer == 0 && g.since.IsZero() {
		g.since = g.now()
	}
}

// hold stops the timer or lets it go on; reset sets it to nothing.
func (g *stage) hold(reset bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case reset:
		g.timer, g.since = 0, time.Time{}
	case g.since.IsZero():
		g.since = g.now()
	default:
		g.timer, g.since = g.timer+g.now().Sub(g.since), time.Time{}
	}
}

// current is the run on the stage; empty before the first.
func (g *stage) current() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.run
}

// enter takes one of the places of those who follow.
func (g *stage) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.followers >= maxFollowers {
		return errFullHouse
	}
	g.followers++
	return nil
}

func (g *stage) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.followers--
}

// next waits until another run than the one that is shown is on the stage.
func (g *stage) next(ctx context.Context, shown string) (run string, scene []byte, number int64, err error) {
	for {
		g.mu.Lock()
		run, scene, number, changed := g.run, g.scene, g.number, g.changed
		g.mu.Unlock()
		if run != shown {
			return run, scene, number, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", nil, 0, ctx.Err()
		}
	}
}

// stageFrames is GET /stage/frames: each run that comes onto the stage takes
// the place of the one that the page shows.
func (s *Server) stageFrames(w http.ResponseWriter, r *http.Request) {
	if err := s.stage.enter(); err != nil {
		w.Header().Set("Retry-After", "10")
		s.fail(w, r, http.StatusServiceUnavailable, "So many follow already that there is no place. Try again in a moment.")
		return
	}
	defer s.stage.leave()
	ctx, done := s.untilStop(r.Context())
	defer done()
	stream, err := openStream(w)
	if err != nil {
		return
	}
	shown := r.URL.Query().Get("run")
	for {
		waiting, cancel := context.WithTimeout(ctx, keepAlive)
		run, scene, number, err := s.stage.next(waiting, shown)
		cancel()
		out := []byte(": waiting\n\n")
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			shown = run
			out = appendMessage(nil, number, scene)
		}
		if stream.write(out) != nil {
			return
		}
	}
}

// putOnStage has all who follow see a run.
func (s *Server) putOnStage(r *http.Request, id string) error {
	run, err := s.project(r, id)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	partial(&b, "#run", "outerHTML", view.RunView(view.Encounter{Run: run}))
	s.stage.show(id, b.Bytes())
	return nil
}
