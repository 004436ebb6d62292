package run

import (
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/web/internal/respond"
)

// lookBack is GET /runs/{id}/at/{seq}: the run as it stood after that event.
func (p *Pages) lookBack(w http.ResponseWriter, r *http.Request) error {
	seq, err := strconv.ParseInt(chi.URLParam(r, "seq"), 10, 64)
	if err != nil || seq < 0 {
		return respond.BadInput("seq", "A step is addressed by its number.")
	}
	info, err := p.cfg.Log.Run(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	events, err := p.cfg.Log.Events(r.Context(), info.ID, 0)
	if err != nil {
		return err
	}
	past := NewPast(info)
	for _, e := range events {
		if e.Seq > seq {
			break
		}
		past.Apply(e)
	}
	return respond.Render(w, http.StatusOK, Past(past))
}
