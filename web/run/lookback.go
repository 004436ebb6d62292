package run

import (
	"context"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// lookBack is GET /runs/{id}/at/{seq}: the run as it stood after that event.
func (p *Pages) lookBack(w http.ResponseWriter, r *http.Request) error {
	seq, err := parseSeq("seq", chi.URLParam(r, "seq"))
	if err != nil {
		return err
	}
	past, _, err := p.projectTo(r.Context(), chi.URLParam(r, "id"), seq, NewPast)
	if err != nil {
		return err
	}
	return respond.Render(w, http.StatusOK, Past(past))
}

// parseSeq reads the number of an event, which a part of the request gives.
func parseSeq(name, value string) (int64, error) {
	seq, err := strconv.ParseInt(value, 10, 64)
	if err != nil || seq < 0 {
		return 0, respond.BadInput(name, "A step is addressed by its number.")
	}
	return seq, nil
}

// projectTo returns a run, which begin creates, after the event with a number, and
// that event. A negative number means all events; the event is nil if there is none
// with that number.
func (p *Pages) projectTo(ctx context.Context, id string, seq int64, begin func(trace.Run) *Run) (run *Run, last *trace.Event, err error) {
	info, err := p.cfg.Log.Run(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	events, err := p.cfg.Log.Events(ctx, info.ID, 0)
	if err != nil {
		return nil, nil, err
	}
	run = begin(info)
	for i, e := range events {
		if seq >= 0 && e.Seq > seq {
			run.past = true
			break
		}
		run.Apply(e)
		if e.Seq == seq {
			last = &events[i]
		}
	}
	return run, last, nil
}
