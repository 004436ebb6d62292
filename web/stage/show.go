package stage

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/talk"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// Bounds of the show.
const (
	collect = 30 * time.Millisecond // events are collected for so long before they become one message
	refresh = 2 * time.Second       // between two looks at a page on the stage
)

var errNoPage = &respond.Error{Status: http.StatusNotFound, Field: "page", Detail: "No such page can be put on the stage."}

// A Scene is what the room sees: the page if there is one, else the run, else the
// title of the act, else the welcome before the first act.
type Scene struct {
	Title  string
	No, Of int // of the act; 0 for a run that belongs to none
	Run    *Performance
	Page   *shownPage
}

// shownPage is a page on the stage.
type shownPage struct{ name, path, html string }

// Look is how the stage looks, whatever is on it.
type Look struct {
	Theme string `json:"theme"` // "light", "dark", or empty: as the screen prefers
	Large bool   `json:"large"` // text is larger
	Blank bool   `json:"blank"` // the screen is dark
}

// A show is the stage. Safe for concurrent use.
type show struct {
	log     trace.Log
	runs    Runs
	pages   []Page
	streams *sse.Streams
	work    sync.WaitGroup // what follows runs and pages

	mu    sync.Mutex
	scene Scene
	look  Look
	leave context.CancelFunc // ends what follows the run
	close context.CancelFunc // ends what follows the page
	broadcast
}

func newShow(cfg Config) *show {
	s := &show{log: cfg.Log, runs: cfg.Runs, pages: cfg.Pages, streams: cfg.Streams, leave: func() {}, close: func() {}}
	s.open(&s.scene, s.look)
	return s
}

// introduce clears the stage for an act.
func (s *show) introduce(act talk.Act, of int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave()
	s.close()
	s.scene = Scene{Title: act.Title(), No: act.No, Of: of}
	s.open(&s.scene, s.look)
}

// perform puts a run on the stage. Title and number are those of its act.
func (s *show) perform(ctx context.Context, runID, title string, no, of int) error {
	info, err := s.log.Run(ctx, runID)
	if err != nil {
		return err
	}
	cursor, err := s.log.Follow(ctx, runID, 0)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave()
	s.close()
	run := newPerformance(info)
	s.scene = Scene{Title: title, No: no, Of: of, Run: run}
	s.open(&s.scene, s.look)
	following, leave := context.WithCancel(s.streams.Stopping())
	s.leave = leave
	s.work.Go(func() { s.follow(following, run, cursor) })
	s.work.Go(func() { s.await(following, run) })
	return nil
}

// follow shows a run's events as they happen. When the server stops it first shows
// those that have happened.
func (s *show) follow(ctx context.Context, run *Performance, cursor *trace.Cursor[trace.Event]) {
	for {
		events, err := cursor.Next(ctx)
		if err != nil {
			return
		}
		s.change(func() bool {
			run.add(events)
			return s.scene.Run == run
		})
		select {
		case <-time.After(collect):
		case <-ctx.Done():
		}
	}
}

// await shows the presenter that a run waits, and its pace.
func (s *show) await(ctx context.Context, run *Performance) {
	states, err := s.runs.Watch(run.Info.ID)
	if err != nil {
		return // it has ended
	}
	for {
		changes, err := states.Next(ctx)
		if err != nil {
			return
		}
		s.change(func() bool { return run.setState(changes[len(changes)-1]) && s.scene.Run == run })
	}
}

// change calls f and then sends what has changed, if f returns true.
func (s *show) change(f func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f() {
		s.publish(&s.scene, s.look)
	}
}

// setLook changes how the stage looks.
func (s *show) setLook(f func(*Look)) {
	s.change(func() bool { f(&s.look); return true })
}

// goTo shows the run on the stage as it stood after a step.
func (s *show) goTo(step int) {
	s.change(func() bool {
		if s.scene.Run == nil || s.scene.Run.Steps == 0 {
			return false
		}
		s.scene.Run.goTo(step)
		return true
	})
}

// openPage puts one of the pages, or of more, on the stage and keeps it up to
// date. The empty path takes the page away.
func (s *show) openPage(ctx context.Context, path string, more ...Page) error {
	var page *shownPage
	var view func(context.Context) (templ.Component, error)
	if path != "" {
		u, err := url.Parse(path)
		if err != nil {
			return errNoPage
		}
		pages := slices.Concat(s.pages, more)
		i := slices.IndexFunc(pages, func(p Page) bool { return p.Path == u.Path })
		if i < 0 {
			return errNoPage
		}
		view = func(ctx context.Context) (templ.Component, error) { return pages[i].View(ctx, u.Query()) }
		c, err := view(ctx)
		if err != nil {
			return err
		}
		page = &shownPage{pages[i].Title, path, render(c)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close()
	s.scene.Page = page
	s.open(&s.scene, s.look)
	if page == nil {
		return nil
	}
	following, end := context.WithCancel(s.streams.Stopping())
	s.close = end
	s.work.Go(func() { s.keep(following, page, view) })
	return nil
}

// keep renders a page on the stage again and again.
func (s *show) keep(ctx context.Context, page *shownPage, view func(context.Context) (templ.Component, error)) {
	every := time.NewTicker(refresh)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		c, err := view(ctx)
		if err != nil {
			continue // what was shown last stays
		}
		html := render(c)
		s.change(func() bool {
			changed := page.html != html && s.scene.Page == page
			page.html = html
			return changed
		})
	}
}

// runID returns the run on the stage, or "".
func (s *show) runID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scene.Run == nil {
		return ""
	}
	return s.scene.Run.Info.ID
}

// view calls f with the scene and the look while they do not change.
func (s *show) view(f func(Scene, Look)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.scene, s.look)
}

// wait returns when nothing is followed any more, after the streams were stopped.
// What is on the stage then stays.
func (s *show) wait() {
	s.work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
}
