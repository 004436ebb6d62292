package web

import (
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/web/view"
)

// lookBack is GET /runs/{id}/at/{seq}: the run as it stood after that event.
func (s *Server) lookBack(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseInt(chi.URLParam(r, "seq"), 10, 64)
	if err != nil || seq < 0 {
		s.refuse(w, r, &inputError{http.StatusBadRequest, "seq", "a step is named by its number"})
		return
	}
	info, err := s.cfg.Log.Run(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	events, err := s.cfg.Log.Events(r.Context(), info.ID, 0)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	past := view.NewPast(info)
	for _, e := range events {
		if e.Seq > seq {
			break
		}
		past.Apply(e)
	}
	render(w, http.StatusOK, view.Past(past))
}

// paceFromPage is POST /runs/{id}/pace: the buttons of a live run.
func (s *Server) paceFromPage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	p, err := agents.ParsePace(r.PostFormValue("pace"))
	if err != nil {
		s.refuse(w, r, &inputError{http.StatusBadRequest, "pace", err.Error()})
		return
	}
	s.control(w, r, s.cfg.Runs.SetPace(chi.URLParam(r, "id"), p))
}
