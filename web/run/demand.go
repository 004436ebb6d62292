package run

import (
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// part is GET /runs/{id}/parts/{part}: a part that the stream only announces, as it
// is now or, with ?after=, as it was after an event.
func (p *Pages) part(w http.ResponseWriter, r *http.Request) error {
	view, ok := onDemand[chi.URLParam(r, "part")]
	if !ok {
		return respond.NoSuchPage
	}
	after, err := sse.ResumeAfter(r)
	if err != nil {
		return err
	}
	id := chi.URLParam(r, "id")
	if after > 0 {
		run, _, err := p.projectTo(r.Context(), id, after, NewRun)
		if err != nil {
			return err
		}
		run.past, run.Replay = false, new(Replay) // in place of the replay's current part
		return respond.Render(w, http.StatusOK, view(run))
	}
	run, err := p.live.watch(r.Context(), id)
	if err != nil {
		return err
	}
	var html string
	if err := run.show(r.Context(), func(run *Run) { html = render(view(run)) }); err != nil {
		return err
	}
	return respond.HTML(w, http.StatusOK, []byte(html))
}

// stepDetail is GET /runs/{id}/steps/{seq}: what a line of the trace opens to.
func (p *Pages) stepDetail(w http.ResponseWriter, r *http.Request) error {
	seq, err := parseSeq("seq", chi.URLParam(r, "seq"))
	if err != nil {
		return err
	}
	info, err := p.cfg.Log.Run(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	events, err := p.cfg.Log.Events(r.Context(), info.ID, seq-1)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(events, func(e trace.Event) bool { return e.Seq == seq })
	if i < 0 {
		return respond.NoSuchPage
	}
	return respond.Render(w, http.StatusOK, StepDetail(newStep(info, 0, events[i])))
}
