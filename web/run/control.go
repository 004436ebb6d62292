package run

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// pace is POST /runs/{id}/pace: the buttons of a live run.
func (p *Pages) pace(w http.ResponseWriter, r *http.Request) error {
	form, err := respond.DecodeForm[struct {
		Pace string `json:"pace"`
	}](w, r)
	if err != nil {
		return err
	}
	pace, err := agents.ParsePace(form.Pace)
	if err != nil {
		return respond.BadInput("pace", err.Error())
	}
	return controlled(w, r, p.cfg.Runs.SetPace(chi.URLParam(r, "id"), pace))
}

// next is POST /runs/{id}/next: a stepping run takes its next step.
func (p *Pages) next(w http.ResponseWriter, r *http.Request) error {
	return controlled(w, r, p.cfg.Runs.Next(chi.URLParam(r, "id")))
}

// cancel is POST /runs/{id}/cancel.
func (p *Pages) cancel(w http.ResponseWriter, r *http.Request) error {
	return controlled(w, r, p.cfg.Runs.Cancel(chi.URLParam(r, "id"), "presenter", "The presenter stopped the run."))
}

// controlled answers a request that controls a run. A form that was sent
// without scripts leads back to the run's page.
func controlled(w http.ResponseWriter, r *http.Request, err error) error {
	switch {
	case err != nil:
		return err
	case !respond.FromPage(r) && respond.WantsHTML(r):
		http.Redirect(w, r, "/runs/"+chi.URLParam(r, "id"), http.StatusSeeOther)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// shellSafe matches a host without characters that mean something to a shell.
var shellSafe = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`)

// stolen is POST /runs/{id}/stolen: a command for the presenter's terminal that
// uses the run's stolen token for two patients in turn. It is the one answer
// that contains a token, so only the presenter gets it, on request, and no page
// shows it.
func (p *Pages) stolen(w http.ResponseWriter, r *http.Request) error {
	token, err := p.cfg.Runs.Stolen(chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if !shellSafe.MatchString(r.Host) {
		return respond.BadInput("", "The host name of this page contains characters that are not safe in a shell command.")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, `curl -s -w '\n%%{http_code}\n' -H 'Authorization: Bearer %s' 'http://%s/records/{P-1042,P-2187}/chart'`, token, r.Host)
	return nil
}
