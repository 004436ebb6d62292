package web

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/go-chi/chi/v5"
)

// shellSafe is a host that means nothing else to a shell.
var shellSafe = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`)

// stolen is POST /runs/{id}/stolen: a line for the presenter's terminal that
// uses the run's stolen token, for two patients in turn. It is the one answer
// that holds a token, so it is asked for, by the presenter alone, and no page
// shows it.
func (s *Server) stolen(w http.ResponseWriter, r *http.Request) {
	token, err := s.cfg.Runs.Stolen(chi.URLParam(r, "id"))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if !shellSafe.MatchString(r.Host) {
		s.fail(w, r, http.StatusBadRequest, "The address that this page was asked by can't stand in a line for a shell.")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, `curl -s -w '\n%%{http_code}\n' -H 'Authorization: Bearer %s' 'http://%s/records/{P-1042,P-2187}/chart'`, token, r.Host)
}
