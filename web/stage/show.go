package stage

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/internal/values"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// Bounds of the show.
const (
	collect  = 30 * time.Millisecond // events are collected for so long before they become one message
	refresh  = 2 * time.Second       // between two looks at a page on the stage
	tryAgain = 250 * time.Millisecond
)

var errNoPage = &respond.Error{Status: http.StatusNotFound, Field: "page", Detail: "No such page can be put on the stage."}

// A Scene is what the room sees: the page if there is one, else the run, else the
// title of the act, else the welcome before the first act.
type Scene struct {
	Act  title
	Run  *Performance
	Page *shownPage
}

// shownPage is a page on the stage.
type shownPage struct{ name, path, html string }

// Look is how the stage looks, whatever is on it.
type Look struct {
	Theme string `json:"theme"` // "light", "dark", or empty: as the screen prefers
	Large bool   `json:"large"` // text is larger
	Blank bool   `json:"blank"` // the screen is dark
}

// A show is the stage of one replica: it shows the state that all replicas share.
// Safe for concurrent use.
type show struct {
	log     trace.Log
	runs    Runs
	pages   []Page
	streams *sse.Streams
	logger  *slog.Logger
	state   *values.Value[state]
	work    sync.WaitGroup // what follows the state, runs and pages

	showing sync.Mutex // held while another state is shown

	mu      sync.Mutex
	shown   state
	version int64 // of shown
	scene   Scene
	leave   context.CancelFunc // ends what follows the run
	close   context.CancelFunc // ends what follows the page
	broadcast
}

func newShow(cfg Config) *show {
	first := state{Talk: newProgress()}
	s := &show{log: cfg.Log, runs: cfg.Runs, pages: cfg.Pages, streams: cfg.Streams, logger: cfg.Logger, shown: first,
		state: values.New(cfg.Values, stateName, first, cfg.Logger), leave: func() {}, close: func() {}}
	s.open(&s.scene, s.shown.Look)
	s.work.Go(func() { s.state.Keep(s.streams.Stopping()) })
	s.work.Go(func() { s.followState(s.streams.Stopping()) })
	return s
}

// followState shows what other replicas have saved.
func (s *show) followState(ctx context.Context) {
	var known int64
	for failing := false; ; {
		to, version, err := s.state.Next(ctx, known)
		if err != nil {
			return
		}
		if err = s.present(ctx, to, version); err == nil {
			known, failing = version, false
			continue
		}
		if !failing {
			s.logger.WarnContext(ctx, "the stage can't be shown; it is tried again", "error", err)
		}
		failing = true
		select {
		case <-time.After(tryAgain):
		case <-ctx.Done():
			return
		}
	}
}

// set changes the state for all replicas, and shows it. It returns the state that
// it replaced, or the zero state if nothing was saved.
func (s *show) set(ctx context.Context, f func(*state)) (before state, err error) {
	to, version, err := s.state.Update(ctx, func(st *state) error {
		before = *st
		f(st)
		return nil
	})
	if err != nil {
		return state{}, err
	}
	return before, s.present(ctx, to, version)
}

// sync shows what another replica has just saved. If that can't be read, the stage
// stays as it is.
func (s *show) sync(ctx context.Context) {
	to, version, err := s.state.Load(ctx)
	if err == nil {
		err = s.present(ctx, to, version)
	}
	if err != nil {
		s.logger.WarnContext(ctx, "the stage may be older than at other replicas", "error", err)
	}
}

// present shows a state, unless a later one is shown.
func (s *show) present(ctx context.Context, to state, version int64) (err error) {
	s.showing.Lock()
	defer s.showing.Unlock()
	if version <= s.version {
		return nil
	}
	from := s.shown // changed under both locks only
	next := Scene{Act: to.Act, Run: s.scene.Run, Page: s.scene.Page}
	var events *trace.Cursor[trace.Event]
	if to.RunID != from.RunID {
		if next.Run, events, err = s.perform(ctx, to.RunID); err != nil {
			return err
		}
	}
	var view viewFunc
	if to.Page != from.Page {
		if next.Page, view, err = s.openPage(ctx, to.Page); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown, s.version = to, version
	moved := next.Run != nil && next.Run.at != to.Step
	if moved {
		next.Run.goTo(to.Step)
	}
	if next == s.scene {
		if moved || to.Look != from.Look {
			s.publish(&s.scene, to.Look)
		}
		return nil
	}
	s.scene = next
	s.open(&s.scene, to.Look)
	if to.RunID != from.RunID {
		following := s.replace(&s.leave)
		if next.Run != nil {
			s.work.Go(func() { s.follow(following, next.Run, events) })
			s.work.Go(func() { s.await(following, next.Run) })
		}
	}
	if to.Page != from.Page {
		following := s.replace(&s.close)
		if next.Page != nil {
			s.work.Go(func() { s.keep(following, next.Page, view) })
		}
	}
	return nil
}

// replace ends what was followed until now, and returns a context for what is followed
// in its place.
func (s *show) replace(end *context.CancelFunc) (ctx context.Context) {
	(*end)()
	ctx, *end = context.WithCancel(s.streams.Stopping())
	return ctx
}

// perform returns a run before its first step, and its events; nothing without an
// ID.
func (s *show) perform(ctx context.Context, runID string) (*Performance, *trace.Cursor[trace.Event], error) {
	if runID == "" {
		return nil, nil, nil
	}
	info, err := s.log.Run(ctx, runID)
	if err != nil {
		return nil, nil, err
	}
	events, err := s.log.Follow(ctx, runID, 0)
	return newPerformance(info), events, err
}

// follow shows a run's events as they happen. When the server stops it first shows
// those that have happened.
func (s *show) follow(ctx context.Context, run *Performance, cursor *trace.Cursor[trace.Event]) {
	for {
		events, err := cursor.Next(ctx)
		retracted := errors.Is(err, trace.ErrRetracted)
		if retracted {
			if cursor, err = s.log.Follow(ctx, run.Info.ID, 0); err == nil {
				events, err = cursor.Next(ctx)
			}
		}
		if err != nil {
			return
		}
		s.change(func() bool {
			if retracted {
				run.startOver()
			}
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
		s.publish(&s.scene, s.shown.Look)
	}
}

// goTo shows the run on the stage as it stood after a step, at all replicas. The
// last step is the run as it is now.
func (s *show) goTo(ctx context.Context, step int) error {
	s.mu.Lock()
	steps := 0
	if s.scene.Run != nil {
		steps = s.scene.Run.Steps
	}
	s.mu.Unlock()
	if steps == 0 {
		return nil
	}
	_, err := s.set(ctx, func(st *state) {
		if st.Step = max(1, step); st.Step >= steps {
			st.Step = 0
		}
	})
	return err
}

// showPage puts a page on the stage, at all replicas. The zero page takes the one
// that is there away.
func (s *show) showPage(ctx context.Context, p page) error {
	if _, _, err := s.openPage(ctx, p); err != nil { // no replica could show it
		return err
	}
	_, err := s.set(ctx, func(st *state) { st.Page = p })
	return err
}

// viewFunc renders a page as it is now.
type viewFunc func(context.Context) (templ.Component, error)

// openPage renders one of the pages. It returns nothing for the zero page.
func (s *show) openPage(ctx context.Context, p page) (*shownPage, viewFunc, error) {
	if p.Path == "" {
		return nil, nil, nil
	}
	u, err := url.Parse(p.Path)
	if err != nil {
		return nil, nil, errNoPage
	}
	pages := append(slices.Clip(s.pages), linkOnStage(p.Base))
	i := slices.IndexFunc(pages, func(p Page) bool { return p.Path == u.Path })
	if i < 0 {
		return nil, nil, errNoPage
	}
	view := func(ctx context.Context) (templ.Component, error) { return pages[i].View(ctx, u.Query()) }
	c, err := view(ctx)
	if err != nil {
		return nil, nil, err
	}
	return &shownPage{pages[i].Title, p.Path, render(c)}, view, nil
}

// keep renders a page on the stage again and again.
func (s *show) keep(ctx context.Context, page *shownPage, view viewFunc) {
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

// view calls f with the state and its scene while they do not change.
func (s *show) view(f func(state, Scene)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.shown, s.scene)
}

// wait returns when nothing is followed any more, after the streams were stopped.
// What is on the stage then stays.
func (s *show) wait() {
	s.work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
}
