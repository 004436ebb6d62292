package stage

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/talk"
	"github.com/devonartis/medassist-go/web/internal/newrun"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// present is GET /present: the presenter's own page.
func (p *Pages) present(w http.ResponseWriter, r *http.Request) error {
	v, err := p.presentView(r)
	if err != nil {
		return err
	}
	return respond.Render(w, http.StatusOK, PresentPage(v))
}

func (p *Pages) presentView(r *http.Request) (Present, error) {
	v := Present{Page: p.cfg.Respond.Page(r, "Present", "present", "/present"), Talk: p.progress.view()}
	var err error
	v.RunID, v.Run, err = p.currentRun(r.Context())
	return v, err
}

// choose is POST /present/act: another act, or another version of the talk.
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
	p.progress.choose(version, act)
	return p.showTalk(w, r)
}

// perform is POST /present/run: it runs the act's scenario on the stage. It
// cancels the run that is there, if that is live.
func (p *Pages) perform(w http.ResponseWriter, r *http.Request) error {
	act := p.progress.view().Act()
	sc, ok := scenario.ByID(act.Scenario)
	if !ok {
		return &respond.Error{Status: http.StatusConflict, Field: "act", Detail: "This act runs no scenario: it shows " + act.Page + "."}
	}
	req, err := newrun.Play(sc, act.Pace).Parse(true)
	if err != nil {
		return err
	}
	if current, _ := p.onStage.Get(); current.run != "" {
		_ = p.cfg.Runs.Cancel(current.run, "presenter", "The next act began.") // fails if it has ended
	}
	run, err := p.cfg.Runs.Start(r.Context(), req)
	if err != nil {
		return err
	}
	if err := p.Show(r.Context(), run.ID); err != nil {
		return err
	}
	p.progress.startTimer()
	return p.showTalk(w, r)
}

// timer is POST /present/timer: pause, resume or restart.
func (p *Pages) timer(w http.ResponseWriter, r *http.Request) error {
	form, err := respond.DecodeForm[struct {
		Do string `json:"do"`
	}](w, r)
	if err != nil {
		return err
	}
	if form.Do == "reset" {
		p.progress.resetTimer()
	} else {
		p.progress.toggleTimer()
	}
	return p.showTalk(w, r)
}

// showTalk shows the presenter where the talk stands. The run has its own
// stream.
func (p *Pages) showTalk(w http.ResponseWriter, r *http.Request) error {
	if !respond.FromPage(r) {
		http.Redirect(w, r, "/present", http.StatusSeeOther)
		return nil
	}
	v, err := p.presentView(r)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	respond.Partial(&b, "#talk", "outerHTML", TalkView(v))
	return respond.HTML(w, http.StatusOK, b.Bytes())
}
