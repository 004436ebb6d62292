package stage

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/talk"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/newrun"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// healthTimeout bounds the check of the broker for the presenter's page.
const healthTimeout = 500 * time.Millisecond

// present is GET /present: the presenter's own page.
func (p *Pages) present(w http.ResponseWriter, r *http.Request) error {
	// The scene comes first: what changes after it is streamed, and has the page fetch
	// its controls again.
	p.show.sync(r.Context())
	scene, stream, look := p.scene(wall)
	v := p.presentView(r)
	v.Scene, v.Stream, v.Look = scene, stream, look
	return respond.Render(w, http.StatusOK, PresentPage(v))
}

func (p *Pages) presentView(r *http.Request) Present {
	v := p.standing()
	v.Page, v.Pages, v.Followers = p.cfg.Respond.Page(r, "Present", "present", "/present"), p.show.pages, p.followers.total()
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	began := time.Now()
	if h, err := p.cfg.Broker.Health(ctx); err == nil {
		v.Health, v.HealthTook = h.Status, time.Since(began)
		if p.cfg.Audit != nil {
			check := p.cfg.Audit(r.Context())
			v.Audit = &check
		}
	}
	return v
}

// standing returns where the talk stands and what is on the stage.
func (p *Pages) standing() (v Present) {
	p.show.view(func(st state, s Scene) { v.fill(st, s, p.cfg.Clock()) })
	v.Stepping = p.stepping.Load() > 0
	return v
}

// desk is GET /present/desk: the presenter's page without the picture of the
// stage, which has a stream.
func (p *Pages) desk(w http.ResponseWriter, r *http.Request) error {
	p.show.sync(r.Context())
	var b bytes.Buffer
	v := p.presentView(r)
	respond.Partial(&b, "#acts", "innerMorph", Acts(v))
	respond.Partial(&b, "#script", "innerMorph", Script(v))
	respond.Partial(&b, "#shown", "innerMorph", Shown(v))
	respond.Partial(&b, "#clock", "innerMorph", Clock(v))
	respond.Partial(&b, "#checks", "innerMorph", Checks(v))
	respond.Partial(&b, "#controls", "innerMorph", Controls(v))
	return respond.HTML(w, http.StatusOK, b.Bytes())
}

// showDesk answers a request that changed something.
func (p *Pages) showDesk(w http.ResponseWriter, r *http.Request, err error) error {
	if err != nil {
		return err
	}
	if !respond.FromPage(r) {
		http.Redirect(w, r, "/present", http.StatusSeeOther)
		return nil
	}
	return p.desk(w, r)
}

// choose is POST /present/act: another act, or another version of the talk. The
// stage shows the act's title.
func (p *Pages) choose(w http.ResponseWriter, r *http.Request) error {
	form, err := respond.DecodeForm[struct {
		Version string `json:"version"`
		Act     string `json:"act"`
	}](w, r)
	if err != nil {
		return err
	}
	version, err := strconv.Atoi(form.Version)
	if err != nil || !slices.Contains(talk.Versions, version) {
		return respond.BadInput("version", "The talk has a version of 10 minutes and one of 25.")
	}
	act, err := strconv.Atoi(form.Act)
	if err != nil {
		return respond.BadInput("act", "The act must be a number.")
	}
	return p.showDesk(w, r, p.goToAct(r.Context(), version, act))
}

// goToAct chooses an act and clears the stage for it. It cancels the run that is
// there, if that is live.
func (p *Pages) goToAct(ctx context.Context, version, act int) error {
	before, err := p.show.set(ctx, func(s *state) {
		s.Talk.choose(version, act)
		acts := s.Talk.acts()
		s.introduce(acts[s.Talk.Act], len(acts))
	})
	p.endRun(before.RunID)
	return err
}

// endRun cancels a run that was on the stage.
func (p *Pages) endRun(id string) {
	if id != "" {
		_ = p.cfg.Runs.Cancel(id, "presenter", "The next act began.") // fails if it has ended
	}
}

// next is POST /present/next: the talk goes on, in the way that the presenter's
// page offered. If that has changed since, nothing happens: a second press of a
// button does not skip anything.
func (p *Pages) next(w http.ResponseWriter, r *http.Request) error {
	form, err := respond.DecodeForm[struct {
		Do string `json:"do"`
	}](w, r)
	if err != nil {
		return err
	}
	p.show.sync(r.Context())
	v := p.standing()
	do := v.Next()
	if form.Do != "" && Advance(form.Do) != do {
		return p.showDesk(w, r, nil)
	}
	switch do {
	case Unblank:
		err = p.setLook(r.Context(), looks["unblank"])
	case Forward:
		err = p.show.goTo(r.Context(), v.Step+1)
	case RunAct:
		err = p.run(r.Context())
	case ShowPage:
		if err = p.startTimer(r.Context()); err == nil {
			err = p.show.showPage(r.Context(), page{Path: v.Talk.Act().Page})
		}
	case NextStep:
		err = p.nextStep(r.Context(), v.RunID)
	case NextAct:
		err = p.goToAct(r.Context(), v.Talk.Version, v.Talk.At+1)
	case ClosePage:
		err = p.show.showPage(r.Context(), page{})
	case Wait, End:
	}
	return p.showDesk(w, r, err)
}

// stepTimeout is how long a press of Next waits to see what it did.
const stepTimeout = 2 * time.Second

// nextStep lets a waiting run go on until the room sees something new. A token that
// is validated, renewed or confirmed changes nothing that a wall shows, and a press
// without an effect would look like a fault.
func (p *Pages) nextStep(ctx context.Context, runID string) error {
	p.stepping.Add(1)
	defer p.show.change(func() bool { // the presenter's page offers the next step
		p.stepping.Add(-1)
		return true
	})
	states, err := p.cfg.Runs.Watch(runID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	if _, err := states.Next(ctx); err != nil { // the states so far
		return err
	}
	for {
		before, err := p.cfg.Log.Events(ctx, runID, 0)
		if err != nil {
			return err
		}
		if err := p.cfg.Runs.Next(runID); err != nil {
			return err
		}
		for waiting := false; !waiting; {
			changes, err := states.Next(ctx)
			if err != nil {
				return nil // the run goes on for longer, or has ended
			}
			waiting = changes[len(changes)-1].Waiting != ""
		}
		done, err := p.cfg.Log.Events(ctx, runID, int64(len(before)))
		if err != nil || slices.ContainsFunc(done, isVisible) {
			return err
		}
	}
}

// isVisible reports whether the stage shows an event.
func isVisible(e trace.Event) bool {
	switch e.Step.(type) {
	case trace.TokenValidated, trace.TokenRenewed, trace.PostReleaseValidation:
		return false
	default:
		return true
	}
}

// back is POST /present/back: one step back on the stage, and from the first one
// to the act before.
func (p *Pages) back(w http.ResponseWriter, r *http.Request) (err error) {
	p.show.sync(r.Context())
	v := p.standing()
	switch {
	case v.OnPage != "":
		err = p.show.showPage(r.Context(), page{})
	case v.Step > 1:
		err = p.show.goTo(r.Context(), v.Step-1)
	case v.Live: // the run must not end by a press too many
	default:
		err = p.goToAct(r.Context(), v.Talk.Version, max(0, v.Talk.At-1))
	}
	return p.showDesk(w, r, err)
}

// step is POST /present/step: the run on the stage as it stood after a step.
func (p *Pages) step(w http.ResponseWriter, r *http.Request) error {
	form, err := respond.DecodeForm[struct {
		Step string `json:"step"`
	}](w, r)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(form.Step)
	if err != nil {
		return respond.BadInput("step", "The step must be a number.")
	}
	p.show.sync(r.Context())
	return p.showDesk(w, r, p.show.goTo(r.Context(), n))
}

// perform is POST /present/run: it runs the act's scenario, also again.
func (p *Pages) perform(w http.ResponseWriter, r *http.Request) error {
	return p.showDesk(w, r, p.run(r.Context()))
}

// run runs the act's scenario on the stage. It cancels the run that is there, if
// that is live.
func (p *Pages) run(ctx context.Context) error {
	p.show.sync(ctx)
	v := p.standing()
	act := v.Talk.Act()
	sc, ok := scenario.ByID(act.Scenario)
	if !ok {
		return &respond.Error{Status: http.StatusConflict, Field: "act", Detail: "This act runs no scenario: it shows " + act.Page + "."}
	}
	req, err := newrun.Play(sc, act.Pace).Parse(true)
	if err != nil {
		return err
	}
	p.endRun(v.RunID)
	run, err := p.cfg.Runs.Start(ctx, req)
	if err != nil {
		return err
	}
	before, err := p.show.set(ctx, func(s *state) {
		s.Talk.startTimer(p.cfg.Clock())
		s.show(title{act.Title(), act.No, len(v.Talk.Acts)}, run.ID)
	})
	if err != nil {
		_ = p.cfg.Runs.Cancel(run.ID, "presenter", "The stage could not show this run.") // fails if it has ended
		return err
	}
	if before.RunID != v.RunID { // another replica has just started one
		p.endRun(before.RunID)
	}
	return nil
}

// open is POST /present/show: a page on the stage or, without one, what it covers,
// also if the screen is blank.
func (p *Pages) open(w http.ResponseWriter, r *http.Request) error {
	form, err := respond.DecodeForm[struct {
		Page string `json:"page"`
	}](w, r)
	if err != nil {
		return err
	}
	if form.Page == "" {
		_, err := p.show.set(r.Context(), func(s *state) { s.Page, s.Look.Blank = page{}, false })
		return p.showDesk(w, r, err)
	}
	shown := page{Path: form.Page}
	if form.Page == linkPath {
		shown.Base = p.publicURL(r)
	}
	return p.showDesk(w, r, p.show.showPage(r.Context(), shown))
}

// look is POST /present/look: the stage's theme and size of text, and whether it
// is blank.
func (p *Pages) look(w http.ResponseWriter, r *http.Request) error {
	form, err := respond.DecodeForm[struct {
		Change string `json:"change"`
	}](w, r)
	if err != nil {
		return err
	}
	change, ok := looks[form.Change]
	if !ok {
		return respond.BadInput("change", "The look of the stage has a theme, a size and a blank screen.")
	}
	return p.showDesk(w, r, p.setLook(r.Context(), change))
}

func (p *Pages) setLook(ctx context.Context, change func(*Look)) error {
	_, err := p.show.set(ctx, func(s *state) { change(&s.Look) })
	return err
}

// looks are the changes to the look of the stage.
var looks = map[string]func(*Look){
	"light":   func(l *Look) { l.Theme = "light" },
	"dark":    func(l *Look) { l.Theme = "dark" },
	"larger":  func(l *Look) { l.Large = true },
	"smaller": func(l *Look) { l.Large = false },
	"blank":   func(l *Look) { l.Blank = !l.Blank },
	"unblank": func(l *Look) { l.Blank = false },
}

// timer is POST /present/timer: start, pause or reset.
func (p *Pages) timer(w http.ResponseWriter, r *http.Request) error {
	form, err := respond.DecodeForm[struct {
		Do string `json:"do"`
	}](w, r)
	if err != nil {
		return err
	}
	_, err = p.show.set(r.Context(), func(s *state) {
		if form.Do == "reset" {
			s.Talk.resetTimer()
		} else {
			s.Talk.toggleTimer(p.cfg.Clock())
		}
	})
	return p.showDesk(w, r, err)
}

func (p *Pages) startTimer(ctx context.Context) error {
	_, err := p.show.set(ctx, func(s *state) { s.Talk.startTimer(p.cfg.Clock()) })
	return err
}
